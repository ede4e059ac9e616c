"""An acoustic fingerprint: what a recording keeps when it is re-encoded, trimmed or made quieter.

J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: in each frame,
the sign of the change, over time, of the energy difference between neighbouring bands. The level
does not affect signs; the long window blurs small shifts in time.
"""

from __future__ import annotations

import numpy as np

from mgc.audio.decoding import resample

SAMPLE_RATE = 5_000  # Hz; the bands end at 2 kHz
FRAME = 2_048  # samples: 0.41 s (the paper: 0.37 s)
HOP = 128  # samples: 25.6 ms, a sixteenth of the frame
BANDS = 33  # 32 differences, one bit each
MIN_HZ, MAX_HZ = 300.0, 2_000.0  # Hz
SECONDS_PER_CODE = HOP / SAMPLE_RATE
#: Frames below this RMS carry no music; their bits would be rounding.
SILENCE = 1e-4
#: The beginning of a long track is enough to identify it.
MAX_SECONDS = 120.0
BLOCK = 512  # frames transformed at once: bounded memory, and they fit in the cache


def codes(wave: np.ndarray, rate: int) -> np.ndarray:
    """The fingerprint of a recording.

    Args:
        wave: mono samples (sample,) float32.
        rate: their rate in Hz.

    Returns:
        One 32-bit code per frame of 25.6 ms (frame,) uint32; 0 marks silence. A recording
        shorter than two frames has none.
    """
    wave = resample(wave[: int(MAX_SECONDS * rate)], rate, SAMPLE_RATE)
    if len(wave) < FRAME + HOP:
        return np.zeros(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[::HOP]
    energy = np.concatenate(
        [_energies(frames[start : start + BLOCK]) for start in range(0, len(frames), BLOCK)]
    )
    across = energy[:, :-1] - energy[:, 1:]
    rising = (across[1:] - across[:-1]) > 0
    made = np.packbits(rising, axis=1).view(">u4")[:, 0].astype(np.uint32)
    loud = np.sqrt(np.mean(np.square(frames[1:, ::8]), axis=1)) > SILENCE
    return np.where(loud, made, np.uint32(0))


def _energies(frames: np.ndarray) -> np.ndarray:
    """(frame, sample) → energy in each band (frame, band)."""
    spectrum = np.fft.rfft(frames * _WINDOW, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.add.reduceat(power, _EDGES, axis=1)[:, :BANDS]


_WINDOW = np.hanning(FRAME).astype(np.float32)
#: First FFT bin of each band, and the end of the last; bands are equally wide in log frequency.
_EDGES = np.round(np.geomspace(MIN_HZ, MAX_HZ, BANDS + 1) * FRAME / SAMPLE_RATE).astype(int)
