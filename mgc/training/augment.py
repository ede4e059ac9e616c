"""Changes to a training batch that keep the head from memorising it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.transforms import FrequencyMasking, TimeMasking

from mgc.plugins.contract import FeatureKind
from mgc.training.head_spec import Training


class Augment:
    """SpecAugment (Park et al. 2019) and mixup (Zhang et al. 2018), on the device.

    Draws from torch's global random generator.
    """

    def __init__(self, training: Training, kind: FeatureKind, features: int, frames: int) -> None:
        self.alpha = training.mixup
        self.masks = []
        if kind == "sequence":
            widths = (training.mask_features * features, training.mask_frames * frames)
            for mask, width in zip((FrequencyMasking, TimeMasking), widths, strict=True):
                if int(width) > 0:
                    self.masks += [mask(int(width), iid_masks=True)] * training.masks

    def __call__(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features (clip, …), genre probabilities (clip, genre) → the same, changed.

        A mask sets rows or frames to 0, the mean of the training split.
        """
        if self.alpha > 0:
            features, targets = mix(features, targets, self.alpha)
        for mask in self.masks:
            features = mask(features[:, None])[:, 0]
        return features, targets


def mix(features: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix every clip with its neighbour in the batch, by a share of Beta(alpha, alpha)."""
    parameter = torch.tensor(alpha, device=features.device)
    beta = torch.distributions.Beta(parameter, parameter, validate_args=False)
    share = beta.sample((len(features),))
    wide = share.view(-1, *[1] * (features.dim() - 1))
    features = wide * features + (1 - wide) * features.roll(1, 0)
    targets = share[:, None] * targets + (1 - share[:, None]) * targets.roll(1, 0)
    return features, targets


def soft_targets(genres: Tensor, n_genres: int, smoothing: float) -> Tensor:
    """Genre numbers (clip,) → probabilities (clip, genre) with label smoothing."""
    exact = functional.one_hot(genres, n_genres).float()
    return exact * (1 - smoothing) + smoothing / n_genres
