"""SpecAugment, mixup and label smoothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mgc.training.augment import Augment, mix, soft_targets
from mgc.training.head_spec import Training


def test_masks_are_within_their_share_of_rows_and_frames() -> None:
    training = Training(mixup=0, mask_features=0.25, mask_frames=0.1)
    augment = Augment(training, "sequence", 40, 200)
    torch.manual_seed(0)
    features, targets = augment(torch.ones(300, 40, 200), torch.eye(3).repeat(100, 1))
    rows = (features == 0).all(2).sum(1)
    frames = (features == 0).all(1).sum(1)
    assert 0 < rows.max() <= 10
    assert 0 < frames.max() <= 20
    assert len(rows.unique()) > 5  # each clip has its own
    assert torch.equal(targets, torch.eye(3).repeat(100, 1))


@pytest.mark.parametrize("kind", ["vector", "layers"])
def test_vectors_are_not_masked(kind: str) -> None:
    augment = Augment(Training(mixup=0), kind, 40, 1)  # type: ignore[arg-type]
    features = torch.ones(5, 40)
    assert torch.equal(augment(features, torch.eye(5))[0], features)


@pytest.mark.parametrize("shape", [(64, 7), (64, 3, 7), (64, 7, 30)])
def test_mixup_mixes_features_and_targets_alike(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    features = torch.randn(shape)
    targets = torch.eye(64)
    mixed, mixed_targets = mix(features, targets, 0.5)
    expected = torch.einsum("cd,d...->c...", mixed_targets, features)
    torch.testing.assert_close(mixed, expected)
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(64))
    share = mixed_targets.diagonal()
    assert share.min() < 0.1
    assert share.max() > 0.9


def test_smoothing_spreads_a_share_over_all_genres() -> None:
    targets = soft_targets(torch.tensor([2, 0]), 4, 0.2).numpy()
    np.testing.assert_allclose(targets, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
