"""The statistics that a head learns on are those of the pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mgc.heads import pooling
from mgc.heads.statistics import SequenceStatistics


@pytest.mark.parametrize(("rows", "frames"), [(40, 900), (12, 300), (3, 256), (5, 40)])
@pytest.mark.parametrize("padding", [0, 200])
def test_equal_to_the_pooling_whatever_stands_in_the_padding(
    rows: int, frames: int, padding: int
) -> None:
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(3, rows, frames)).cumsum(2).astype(np.float32) * 0.1
    padded = np.concatenate([clips, rng.normal(size=(3, rows, padding)) * 9], 2).astype(np.float32)
    module = SequenceStatistics(rows)
    got = module(torch.from_numpy(padded), torch.full((3,), frames)).numpy()
    expected = np.stack([pooling.statistics(clip) for clip in clips])
    assert got.shape == (3, module.size)
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-3)


def test_gradients_of_silence_are_finite() -> None:
    rows = torch.zeros(2, 12, 300, requires_grad=True)
    SequenceStatistics(12)(rows, torch.full((2,), 300)).sum().backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
