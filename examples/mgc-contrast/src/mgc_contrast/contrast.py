"""Spectral contrast (Jiang et al. 2002)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from mgc.audio.clips import Clips

HOP = 512  # samples, as declared in plugin.py
EDGES = (0, 200, 400, 800, 1600, 3200, 6400, 11025)  # Hz; octaves


@dataclass(frozen=True)
class ContrastParams:
    """``share`` of a band's bins that are its peak, and its valley (--set share=0.05)."""

    share: float = 0.1
    n_fft: int = 2048


class Contrast:
    """Peak less valley in each octave, in dB."""

    Params = ContrastParams

    def __init__(self, params: ContrastParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> torch.Tensor:
        """(clip, octave, frame) float32."""
        power = clips.power_spectrum(self.params.n_fft, HOP)  # (clip, frame, bin)
        level = 10 * torch.log10(power.clamp(min=1e-10))  # silence has no logarithm
        frequency = torch.linspace(0, clips.sample_rate / 2, level.shape[-1])
        rows = []
        for low, high in pairwise(EDGES):
            inside = (frequency >= low) & (frequency < high)
            ordered = level[..., inside.to(clips.device)].sort(dim=-1).values
            count = max(1, round(self.params.share * ordered.shape[-1]))
            rows.append(ordered[..., -count:].mean(-1) - ordered[..., :count].mean(-1))
        return torch.stack(rows, dim=1)
