"""A batch of clips, and what several extractors need from it, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

#: Frames transformed at once on the CPU: 128 × 2,048 float32 is 1 MiB, the second-level cache.
BLOCK_FRAMES = 128


class Clips:
    """Mono waveforms of one rate, on one device.

    Attributes:
        waves: (clip, sample) float32 in [-1, 1] (peaks of lossy audio may pass 1 slightly);
            clips shorter than the longest are zero at the end.
        lengths: (clip,) int64 on the CPU, the valid samples of each clip.
        sample_rate: samples per second, Hz.
    """

    def __init__(self, waves: Tensor, sample_rate: int, lengths: Tensor | None = None) -> None:
        if waves.ndim != 2:
            raise ValueError(f"waves must be (clip, sample), not {tuple(waves.shape)}")
        self.waves = waves
        self.sample_rate = sample_rate
        self.lengths = (
            torch.full((waves.shape[0],), waves.shape[1]) if lengths is None else lengths.cpu()
        )
        self._shared: dict[Hashable, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """The device of the waveforms, where the features are expected too."""
        return self.waves.device

    def __len__(self) -> int:
        return int(self.waves.shape[0])

    def copy(self) -> Clips:
        """Clips of their own, for code that may change them."""
        return Clips(self.waves.clone(), self.sample_rate, self.lengths.clone())

    def frame_counts(self, hop_samples: int) -> Tensor:
        """Valid centred frames of each clip: ``1 + length // hop`` (clip,) int64."""
        return 1 + self.lengths // hop_samples

    def power_spectrum(self, n_fft: int, hop_samples: int) -> Tensor:
        """|STFT|² with a periodic Hann window, (clip, frame, bin) float32.

        Frames are centred and the ends are padded with zeros, as ``librosa.stft`` does with
        ``pad_mode="constant"``; there are ``1 + sample // hop`` frames and ``1 + n_fft // 2``
        bins. Frame-major, so that a projection onto bands is one matrix product. Cached:
        mel, MFCC and chroma together cost one transform.
        """
        return self.shared(
            ("power", n_fft, hop_samples),
            lambda: _power_spectrum(self.waves, n_fft, hop_samples),
        )

    def shared(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """``compute()``, at most once for these clips: another extractor asking for the same
        key gets the same tensor. Treat it as read-only."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]


def _power_spectrum(waves: Tensor, n_fft: int, hop_samples: int) -> Tensor:
    window = torch.hann_window(n_fft, periodic=True, device=waves.device)
    padded = torch.nn.functional.pad(waves, (n_fft // 2, n_fft // 2))
    frames = padded.unfold(-1, n_fft, hop_samples)
    power = torch.empty(*frames.shape[:2], n_fft // 2 + 1, device=waves.device)
    if waves.device.type != "cpu":
        _squared_magnitude(frames * window, out=power)
        return power
    for clip in range(frames.shape[0]):
        for start in range(0, frames.shape[1], BLOCK_FRAMES):
            end = start + BLOCK_FRAMES
            _squared_magnitude(frames[clip, start:end] * window, out=power[clip, start:end])
    return power


def _squared_magnitude(frames: Tensor, out: Tensor) -> None:
    """|rfft|² of windowed frames (..., sample) into ``out`` (..., bin)."""
    parts = torch.view_as_real(torch.fft.rfft(frames)).square_()
    # Squaring in place and adding the halves is 4 × as fast as a sum over the last axis.
    torch.add(parts[..., 0], parts[..., 1], out=out)
