"""Voices, drums and room of the synthesised demo music: each function returns samples.

Everything is float32, mono and computed on whole arrays: a note is a look-up in a one-cycle table
with only the partials below the Nyquist frequency, so it costs microseconds and does not alias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from mgc.datasets.synthesis.styles import read_table

Samples = NDArray[np.float32]

CYCLE = 2048  # samples in a one-cycle table; nearest look-up keeps its noise below -60 dB
SILENCE = 1e-3  # -60 dB: the level at which a decaying sound counts as ended


@dataclass(frozen=True)
class Voice:
    """How one instrument sounds; times in seconds, frequencies in Hz."""

    kind: str = "wave"  # wave: additive; fm: two operators; pluck: a Karplus-Strong string
    rolloff: float = 1.0  # partial h has the amplitude h ** -rolloff
    odd_only: bool = False
    cutoff: float = 3000.0  # of a first-order low-pass, before the artist's brightness
    attack: float = 0.01
    decay: float = 0.0  # time to fall to 1/e; 0: sustained
    release: float = 0.08
    vibrato: float = 0.0  # depth as a share of the frequency
    spread: float = 0.0  # a second oscillator, this share of the frequency above
    ratio: float = 1.0  # fm: modulator frequency / carrier frequency
    index: float = 0.0  # fm: modulation index at the start of the note
    breath: float = 0.0  # level of the breath noise


VOICES = {name: Voice(**fields) for name, fields in read_table("voices.toml").items()}


def note(
    voice: Voice, hz: float, seconds: float, bright: float, rng: np.random.Generator, rate: int
) -> Samples:
    """Render one note, peak about 1, of `seconds` plus the voice's release.

    `bright` multiplies the voice's cut-off and modulation index; `rng` is used for noise only.
    """
    count = max(2, round((seconds + voice.release) * rate))
    times = np.arange(count, dtype=np.float32) / np.float32(rate)
    if voice.kind == "pluck":
        sound = _pluck(voice, hz, count, bright, rng, rate)
    elif voice.kind == "fm":
        sound = _fm(voice, hz, times, bright)
    else:
        sound = _wave(voice, hz, times, bright, rate)
    if voice.breath:
        sound = sound + voice.breath * rng.standard_normal(count, dtype=np.float32)
    return (sound * _envelope(voice, times, seconds)).astype(np.float32)


def _envelope(voice: Voice, times: Samples, seconds: float) -> Samples:
    """Return attack, decay and release as a gain in 0..1."""
    gain = np.minimum(times / voice.attack, 1)
    if voice.decay and voice.kind != "pluck":
        gain = gain * np.exp(-times / np.float32(voice.decay))
    return np.asarray(gain * np.clip((seconds + voice.release - times) / voice.release, 0, 1))


def _partials(voice: Voice, hz: float, count: int, bright: float) -> NDArray[np.float64]:
    """Return the amplitudes of partials 0 (absent), 1, 2 … `count`."""
    numbers = np.arange(count + 1, dtype=np.float64)
    numbers[0] = np.inf
    levels = numbers**-voice.rolloff / (1 + (numbers * hz / (voice.cutoff * bright)) ** 2)
    if voice.odd_only:
        levels[::2] = 0
    return levels


def _wave(voice: Voice, hz: float, times: Samples, bright: float, rate: int) -> Samples:
    """Additive synthesis: look up a cycle made of all partials below the Nyquist frequency."""
    count = int(min(0.45 * rate / hz, CYCLE // 2 - 1))
    spectrum = np.zeros(CYCLE // 2 + 1, dtype=np.complex64)
    spectrum[: count + 1] = -1j * _partials(voice, hz, count, bright)
    cycle: Samples = fft.irfft(spectrum, CYCLE)
    cycle /= max(float(np.abs(cycle).max()), 1e-9)
    phase = times * np.float32(hz * CYCLE)
    if voice.vibrato:  # 5.5 Hz, as singers and string players do
        swing = np.float32(voice.vibrato * hz * CYCLE / (2 * np.pi * 5.5))
        phase = phase + swing * np.sin(np.float32(2 * np.pi * 5.5) * times)
    sound = cycle[phase.astype(np.int32) & (CYCLE - 1)]
    if voice.spread:
        shifted = phase * np.float32(1 + voice.spread)
        sound = 0.5 * (sound + cycle[shifted.astype(np.int32) & (CYCLE - 1)])
    return np.asarray(sound)


def _fm(voice: Voice, hz: float, times: Samples, bright: float) -> Samples:
    """Two-operator frequency modulation (Chowning 1973), its index falling along the note."""
    angle = np.float32(2 * np.pi * hz) * times
    fall = np.exp(-times / np.float32(voice.decay / 3)) if voice.decay else np.float32(1)
    index = np.float32(voice.index * bright) * fall
    return np.asarray(np.sin(angle + index * np.sin(np.float32(voice.ratio) * angle)))


def _pluck(
    voice: Voice, hz: float, count: int, bright: float, rng: np.random.Generator, rate: int
) -> Samples:
    """A plucked string after Karplus and Strong (1983), one period at a time.

    Their loop averages two neighbouring samples in each period, so that partial h of a period of N
    samples falls by cos(pi h / N); all periods are therefore powers of that, and one inverse FFT.
    """
    period = max(8, round(rate / hz))
    periods = int(count * hz / rate) + 2
    numbers = np.arange(period // 2 + 1)
    # Noise with a flat spectrum, so that no note is duller than another by chance.
    start = np.exp(2j * np.pi * rng.random(numbers.size))
    start /= 1 + numbers * hz / (voice.cutoff * bright)
    start[0] = 0
    loss = np.cos(np.pi * numbers / period) * np.exp(-1 / (hz * voice.decay))
    rows = start * np.abs(loss) ** np.arange(periods)[:, None]
    string = fft.irfft(rows.astype(np.complex64), period).ravel()
    string /= max(float(np.abs(string[:period]).max()), 1e-9)
    # The period above is a whole number of samples; reading it at this pace gives the exact pitch.
    places = np.arange(count) * (period * hz / rate)
    return np.asarray(np.interp(places, np.arange(string.size), string).astype(np.float32))


def drum(name: str, machine: bool, bright: float, rng: np.random.Generator, rate: int) -> Samples:
    """Render one hit of the `kick`, `snare` or `hat`, acoustic or from a drum machine, peak 1."""
    length = {"kick": 0.35, "snare": 0.22, "hat": 0.09}[name] * (1.3 if machine else 1.0)
    times = np.arange(round(length * rate), dtype=np.float32) / np.float32(rate)
    noise = rng.standard_normal(times.size, dtype=np.float32)
    fall = np.exp(times * np.float32(np.log(SILENCE) / length))
    if name == "kick":
        floor, sweep = (45.0, 160.0) if machine else (60.0, 70.0)
        angle = 2 * np.pi * (floor * times + sweep / 30 * (1 - np.exp(-30 * times)))
        sound = np.sin(angle) + (0.02 if machine else 0.15) * noise * fall
    elif name == "snare":
        body = np.sin(2 * np.pi * (240 if machine else 185) * times)
        sound = (0.25 if machine else 0.5) * body + 0.6 * bright * noise
    else:  # two differences of white noise: a high-pass of 12 dB per octave
        sound = np.diff(noise, n=2, prepend=np.float32(0), append=np.float32(0))
        fall = fall if machine else fall**2
    sound = sound * fall
    return np.asarray((sound / max(float(np.abs(sound).max()), 1e-9)).astype(np.float32))


def room(
    dry: Samples, wet: float, seconds: float, tilt: float, rng: np.random.Generator, rate: int
) -> Samples:
    """Add a room that rings for `seconds`, and tilt the tone by `tilt` dB per octave around 1 kHz.

    Both are one product of spectra; the room is noise that decays by 60 dB.
    """
    ring = max(2, round(seconds * rate))
    impulse = rng.standard_normal(ring, dtype=np.float32)
    impulse *= np.exp(np.linspace(0, np.log(SILENCE), ring, dtype=np.float32))
    impulse *= np.float32(wet / np.sqrt(np.sum(impulse**2)))
    impulse[0] += 1
    size = fft.next_fast_len(dry.size + ring, real=True)
    octaves = np.log2(np.maximum(fft.rfftfreq(size, 1 / rate), 40) / 1000).astype(np.float32)
    gain = np.exp2(octaves * np.float32(tilt / 6.02))
    spectrum = fft.rfft(dry, size) * fft.rfft(impulse, size) * gain
    return np.asarray(fft.irfft(spectrum, size)[: dry.size].astype(np.float32))
