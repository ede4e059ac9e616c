"""TensorFlow's own answers, with the real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mgc_musicnn import weights as stored

from . import made_up

GOLDEN = np.load(Path(__file__).with_name("golden.npz"))
#: What TensorFlow was given: random patches.
PATCHES = (np.random.default_rng(0).random((3, 187, 96)) ** 2 * 4).astype(np.float32)


@pytest.mark.parametrize("name", ["msd", "mtt"])
@pytest.mark.parametrize("output", ["tags", "pooled"])
def test_answers_are_tensorflows(name: str, output: str, weights: Path) -> None:
    network = stored.load(name)
    got = getattr(network, output)(torch.from_numpy(PATCHES)).numpy()
    wanted = GOLDEN[f"{name}_{output}"]
    # TensorFlow's own pooled numbers are 5e-6 of the largest away from the same in float64.
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * max(1.0, wanted.max()))


def test_the_maximum_before_batch_norm_is_the_maximum_after() -> None:
    block = made_up.network(0).middle[0]
    x = torch.rand(2, 1, 30, 565, generator=torch.Generator().manual_seed(0))
    heard = block.convolution(torch.nn.functional.pad(x, block.padding)).relu()
    normed = torch.stack([block.norm(band) for band in heard.unbind(-1)], -1)
    assert (block.norm.weight < 0).any()
    torch.testing.assert_close(block(x), normed.amax(-1))
