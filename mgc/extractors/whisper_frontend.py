"""What Whisper hears: the log-mel spectrogram of 30 s, made on the device of the waveforms."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

RATE = 16_000  # Hz
N_FFT = 400  # samples; 25 ms
HOP = 160  # samples; 10 ms from one mel frame to the next
MAX_HZ = 8_000.0  # Hz; half of the rate
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0  # powers of ten kept below a window's loudest cell


def log_mel(waves: Tensor, n_mels: int) -> Tensor:
    """Equal to transformers' ``WhisperFeatureExtractor`` on windows that are already padded.

    ``waves`` is (window, sample) float32 at 16 kHz, a multiple of 160 samples long; the result
    is (window, mel band, frame) float32, one frame every 160 samples, about -1 to 1.5.
    """
    hann = torch.hann_window(N_FFT, device=waves.device)
    spectrum = torch.stft(waves, N_FFT, HOP, window=hann, return_complex=True)
    # The last centred frame hears only the end; a strided view would slow the product down.
    power = spectrum[..., :-1].abs().square().contiguous()
    bands = mel_bands(n_mels).to(waves.device) @ power
    levels = bands.clamp(min=MIN_POWER).log10()
    loudest = levels.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(levels, loudest - DYNAMIC_RANGE) + 4.0) / 4.0


@lru_cache
def mel_bands(n_mels: int) -> Tensor:
    """Slaney's mel filters as Whisper was trained with, (band, bin) float32; 80 or 128 bands."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=1 + N_FFT // 2,
        num_mel_filters=n_mels,
        min_frequency=0.0,
        max_frequency=MAX_HZ,
        sampling_rate=RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T.copy()).float()
