"""The extractor: log-mel patches of 3 s, the network, and the mean over patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from mgc.audio.clips import Clips
from mgc.plugins.contract import FeatureKind
from mgc_musicnn import tags, weights
from mgc_musicnn.network import BANDS, WIDTHS, Network
from mgc_musicnn.plugin import HOP, RATE

N_FFT = 512  # samples, 32 ms
PATCH = 187  # frames, 3 s
GAIN = 10_000.0


@dataclass(frozen=True)
class MusicnnParams:
    """``weights``: what the network was trained on, the Million Song Dataset (``msd``) or
    MagnaTagATune (``mtt``). ``output``: ``pooled`` (1,506 numbers), ``penultimate`` (200) or the
    probabilities of 50 ``tags``, each the mean over patches of 3 s, or ``frames``, 753 numbers
    every 16 ms."""

    weights: Literal["msd", "mtt"] = "msd"
    output: Literal["pooled", "penultimate", "tags", "frames"] = "penultimate"


class Musicnn:
    """musicnn (Pons and Serra 2019), equal to the original.

    A clip is cut into patches of 187 frames; as in the original, the remainder is left out. A clip
    shorter than a patch is repeated until it fills one.
    """

    Params = MusicnnParams

    def __init__(self, params: MusicnnParams, device: str) -> None:
        self.params = params
        self.device = device

    @property
    def kind(self) -> FeatureKind:
        """``sequence`` for ``output=frames``, else ``vector``."""
        return "sequence" if self.params.output == "frames" else "vector"

    @property
    def pretrained_on(self) -> tuple[str, ...]:
        """The corpus of these weights."""
        return ("Million Song Dataset" if self.params.weights == "msd" else "MagnaTagATune",)

    def feature_shape(self, samples: int) -> tuple[int, ...]:
        """The shape for a clip of this many samples."""
        width = WIDTHS[self.params.output]
        return (width, 1 + samples // HOP) if self.kind == "sequence" else (width,)

    def feature_axis(self, sample_rate: int) -> tuple[str, Sequence[float | str]]:
        """The names of the tags, or numbers."""
        if self.params.output == "tags":
            return "tag", tags.MSD if self.params.weights == "msd" else tags.MTT
        return "feature", range(WIDTHS[self.params.output])

    def identity(self) -> str:
        """The weights and the precision."""
        return f"sha256:{weights.digest(self.params.weights)} fp32"

    def fetch(self, wheel: Path | None = None) -> Path:
        """Download the published wheel, or take it from this machine, and convert its weights."""
        return weights.fetch(wheel)

    @torch.inference_mode()
    def __call__(self, clips: Clips) -> Tensor:
        """(clip, feature) or (clip, feature, frame) float32."""
        counts = clips.frame_counts(HOP).tolist()
        bands = log_mel(clips).to(self.device)
        rows = [self._heard(mel[:n]) for mel, n in zip(bands, counts, strict=True)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).movedim(1, -1).to(clips.device)

    def _heard(self, mel: Tensor) -> Tensor:
        """One clip's (frame, band) → (feature,) or (frame, feature)."""
        if self.params.output == "frames":
            return self._network.frames(mel[None])[0].T
        run = getattr(self._network, self.params.output)
        cut = patches(mel)
        # On a CPU one patch at a time, which stays in the cache, is 1.6 times as fast as all.
        parts = cut.split(1 if mel.device.type == "cpu" else len(cut))
        return torch.cat([run(part) for part in parts]).mean(0)

    @cached_property
    def _network(self) -> Network:
        return weights.load(self.params.weights).to(self.device)


def log_mel(clips: Clips) -> Tensor:
    """log10(10,000 · mel + 1) of librosa's default mel bands, (clip, frame, band) float32."""
    power = clips.power_spectrum(N_FFT, HOP)
    return (power @ _bands().to(clips.device)).mul_(GAIN).add_(1).log10_()


@lru_cache
def _bands() -> Tensor:
    """Slaney's triangles of equal area, (bin, band) float32."""
    made: Tensor = melscale_fbanks(1 + N_FFT // 2, 0.0, RATE / 2, BANDS, RATE, "slaney", "slaney")
    return made


def patches(mel: Tensor) -> Tensor:
    """One clip's (frame, band) → (patch, 187, band)."""
    if len(mel) < PATCH:
        mel = mel.repeat(-(-PATCH // len(mel)), 1)
    return mel[: len(mel) // PATCH * PATCH].view(-1, PATCH, BANDS)
