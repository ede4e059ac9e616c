"""A batch of clips, and what several extractors need from it, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Frames transformed at once on the CPU: 128 × 2,048 float32 is 1 MiB, the second-level cache.
BLOCK_FRAMES = 128

#: A numpy array on the CPU, a torch tensor on a GPU. mgc's own features are computed with whichever
#: it is, so that nothing imports torch, which takes over a second, unless it is needed.
Array = Any

T = TypeVar("T")


class Clips:
    """Mono waveforms of one rate, on one device.

    Attributes:
        samples: `waves` as an `Array`.
        sample_counts: the valid samples of each clip, as in `lengths`.
        sample_rate: samples per second, Hz.
    """

    def __init__(
        self,
        waves: Tensor | np.ndarray,
        sample_rate: int,
        lengths: Sequence[int] | Tensor | None = None,
    ) -> None:
        if waves.ndim != 2:
            raise ValueError(f"waves must be (clip, sample), not {tuple(waves.shape)}")
        self.waves = waves
        self.sample_rate = sample_rate
        self.sample_counts = (
            [waves.shape[1]] * len(waves) if lengths is None else [*map(int, lengths)]
        )
        self._shared: dict[Hashable, Any] = {}

    @property
    def waves(self) -> Tensor:
        """(clip, sample) float32 in [-1, 1] (peaks of lossy audio may pass 1 slightly); clips
        shorter than the longest are zero at the end."""
        return as_tensor(self.samples)

    @waves.setter
    def waves(self, waves: Array) -> None:
        on_gpu = not isinstance(waves, np.ndarray) and waves.device.type != "cpu"
        self.samples: Array = waves if on_gpu else np.asarray(as_numpy(waves), np.float32)

    @property
    def lengths(self) -> Tensor:
        """(clip,) int64 on the CPU, the valid samples of each clip."""
        import torch

        return torch.tensor(self.sample_counts)

    @property
    def device(self) -> torch.device:
        """The device of the waveforms, where the features are expected too."""
        return self.waves.device

    def __len__(self) -> int:
        return len(self.samples)

    def copy(self) -> Clips:
        """Clips of their own, for code that may change them."""
        samples = self.samples
        own = samples.copy() if isinstance(samples, np.ndarray) else samples.clone()
        return Clips(own, self.sample_rate, self.sample_counts)

    def valid_frames(self, hop_samples: int) -> list[int]:
        """Valid centred frames of each clip: ``1 + length // hop``."""
        return [1 + count // hop_samples for count in self.sample_counts]

    def frame_counts(self, hop_samples: int) -> Tensor:
        """`valid_frames` as (clip,) int64 on the CPU."""
        return 1 + self.lengths // hop_samples

    def power_spectrum(self, n_fft: int, hop_samples: int) -> Tensor:
        """`power` as a tensor."""
        return as_tensor(self.power(n_fft, hop_samples))

    def power(self, n_fft: int, hop_samples: int) -> Array:
        """|STFT|² with a periodic Hann window, (clip, frame, bin) float32.

        Frames are centred and the ends are padded with zeros, as ``librosa.stft`` does with
        ``pad_mode="constant"``; there are ``1 + sample // hop`` frames and ``1 + n_fft // 2``
        bins. Frame-major, so that a projection onto bands is one matrix product. Cached:
        mel, MFCC and chroma together cost one transform.
        """
        on_cpu = isinstance(self.samples, np.ndarray)
        compute = _power if on_cpu else _power_on_gpu
        return self.shared(
            ("power", n_fft, hop_samples), lambda: compute(self.samples, n_fft, hop_samples)
        )

    def shared(self, key: Hashable, compute: Callable[[], T]) -> T:
        """``compute()``, at most once for these clips: another extractor asking for the same
        key gets the same array. Treat it as read-only."""
        if key not in self._shared:
            self._shared[key] = compute()
        made: T = self._shared[key]
        return made


def as_tensor(array: Array) -> Tensor:
    """The array as a tensor that shares its memory, unless torch cannot have it as it is:
    read-only, with negative strides or in another order of bytes."""
    import torch

    if not isinstance(array, np.ndarray):
        tensor: Tensor = array
        return tensor
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))


def as_numpy(array: Any) -> np.ndarray:
    """The numbers of an array, a tensor or nested sequences, in the computer's memory. What is
    masked is NaN. Raises TypeError or ValueError if they are not real numbers."""
    if hasattr(array, "detach"):
        narrow = array.is_floating_point() and array.dtype.itemsize < 4  # numpy has no bfloat16
        array = (array.float() if narrow else array).detach().cpu().numpy()
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(float), np.nan)
    made = np.asarray(array)
    if made.dtype == object:
        made = made.astype(float)
    if made.dtype.kind not in "biuf":
        raise TypeError(f"{type(array).__name__} of {made.dtype}, not of real numbers")
    return made


def library_of(array: Array) -> Any:
    """numpy or torch, whichever the array belongs to; most of their functions have one name."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def beside(array: np.ndarray, other: Array) -> Array:
    """The array as one of ``other``'s library, on its device."""
    return array if isinstance(other, np.ndarray) else as_tensor(array).to(other.device)


@lru_cache
def _hann(n_fft: int) -> np.ndarray:
    """The periodic Hann window (sample,) float32."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi / n_fft * np.arange(n_fft)), np.float32)


def _power(waves: np.ndarray, n_fft: int, hop_samples: int) -> np.ndarray:
    from scipy import fft  # twice as fast as numpy's

    window = _hann(n_fft)
    padded = np.pad(waves, [(0, 0), (n_fft // 2, n_fft // 2)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop_samples]
    power = np.empty((*frames.shape[:2], n_fft // 2 + 1), np.float32)
    for clip, made in zip(frames, power, strict=True):
        for start in range(0, len(clip), BLOCK_FRAMES):
            block = slice(start, start + BLOCK_FRAMES)
            parts = fft.rfft(clip[block] * window).view(np.float32)
            parts *= parts  # squaring in place and adding the halves is the fastest way
            np.add(parts[:, ::2], parts[:, 1::2], out=made[block])
    return power


def _power_on_gpu(waves: Tensor, n_fft: int, hop_samples: int) -> Tensor:
    import torch

    padded = torch.nn.functional.pad(waves, (n_fft // 2, n_fft // 2))
    frames = padded.unfold(-1, n_fft, hop_samples) * beside(_hann(n_fft), waves)
    parts = torch.view_as_real(torch.fft.rfft(frames)).square_()
    return parts[..., 0] + parts[..., 1]
