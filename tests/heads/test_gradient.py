"""The heads that mgc's trainer trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mgc.heads.layers import AttentiveStatistics, initialise, valid
from mgc.plugins import registry
from mgc.plugins.contract import FeatureShape, GradientHead
from mgc.training.head_spec import HeadSpec

NAMES = [
    entry.info.name
    for entry in registry.catalogue().entries("head")
    if entry.distribution == "mgc" and getattr(entry.info, "trained_by", "") == "gradient"
]
SEQUENCE = [name for name in NAMES if name != "mlp"]


def made(name: str, shape: FeatureShape, genres: int = 5, **settings: Any) -> Any:
    torch.manual_seed(0)
    spec = HeadSpec(name, settings)
    return spec.implementation(spec.params, shape, genres).eval()


def run(head: Any, features: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    if lengths is None:
        lengths = torch.full((len(features),), features.shape[-1])
    logits: torch.Tensor = head.classify(head.embed(features, lengths))
    return logits


def test_there_are_three() -> None:
    assert NAMES == ["attention", "cnn", "mlp"]


@pytest.mark.parametrize("name", SEQUENCE)
class TestEverySequenceHead:
    def test_keeps_the_contract(self, name: str) -> None:
        assert isinstance(made(name, FeatureShape("sequence", 20)), GradientHead)

    @pytest.mark.parametrize("features", [1, 3, 12, 40, 128, 513, 1500])
    @pytest.mark.parametrize("frames", [16, 33, 300])
    def test_any_number_of_features_and_frames(self, name: str, features: int, frames: int) -> None:
        head = made(name, FeatureShape("sequence", features))
        logits = run(head, torch.randn(2, features, frames))
        assert logits.shape == (2, 5)
        assert torch.isfinite(logits).all()

    def test_embedding_is_a_row_a_clip(self, name: str) -> None:
        head = made(name, FeatureShape("sequence", 20))
        embedding = head.embed(torch.randn(3, 20, 64), torch.full((3,), 64))
        assert embedding.shape[0] == 3
        assert embedding.dim() == 2
        assert 16 <= embedding.shape[1] <= 1024

    def test_one_clip_alone_and_in_a_batch(self, name: str) -> None:
        head = made(name, FeatureShape("sequence", 20))
        x = torch.randn(4, 20, 80)
        with torch.no_grad():
            torch.testing.assert_close(run(head, x)[:1], run(head, x[:1]), atol=1e-5, rtol=1e-4)

    def test_what_stands_far_in_the_padding_is_not_heard(self, name: str) -> None:
        head = made(name, FeatureShape("sequence", 20))
        x = torch.randn(2, 20, 200)
        loud = x.clone()
        loud[:, :, 150:] = 50.0  # the convolutions at the border see a few frames further
        lengths = torch.tensor([96, 96])
        with torch.no_grad():
            torch.testing.assert_close(run(head, x, lengths), run(head, loud, lengths))

    def test_constant_features_give_finite_gradients(self, name: str) -> None:
        head = made(name, FeatureShape("sequence", 20)).train()
        run(head, torch.zeros(4, 20, 64)).logsumexp(1).sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)

    def test_is_small(self, name: str) -> None:
        head = made(name, FeatureShape("sequence", 128))
        assert sum(p.numel() for p in head.parameters()) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["kaiming", "xavier", "orthogonal", "torch"])
def test_the_initialisation_is_a_parameter(name: str, scheme: str) -> None:
    kind: Any = "vector" if name == "mlp" else "sequence"
    head = made(name, FeatureShape(kind, 20), initialisation=scheme)
    other = "xavier" if scheme != "xavier" else "torch"
    another = made(name, FeatureShape(kind, 20), initialisation=other)
    pairs = zip(head.parameters(), another.parameters(), strict=True)
    assert any(not torch.equal(one, two) for one, two in pairs if one.dim() > 1)


def test_initialise_draws_with_the_deviation_of_the_scheme() -> None:
    part = nn.Linear(400, 300)
    initialise(part, "kaiming")
    assert part.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    initialise(part, "xavier")
    assert part.weight.std().item() == pytest.approx((2 / 700) ** 0.5, rel=0.02)
    initialise(part, "orthogonal")
    torch.testing.assert_close(part.weight @ part.weight.T, torch.eye(300), atol=1e-4, rtol=0)
    assert not part.bias.any()


@pytest.mark.parametrize("layers", [1, 7])
def test_mlp_mixes_layers_evenly_at_first(layers: int) -> None:
    head = made("mlp", FeatureShape("layers", 10, layers))
    x = torch.rand(2, layers, 10)
    torch.testing.assert_close(head.mixed(x), x.mean(1))
    assert run(head, x, torch.ones(2)).shape == (2, 5)


def test_attentive_statistics_of_even_weights_are_mean_and_deviation() -> None:
    pool = AttentiveStatistics(6)
    nn.init.zeros_(pool.attention[2].weight)
    x = torch.randn(2, 6, 50)
    got = pool(x, torch.tensor([50, 30]))
    for clip, length in enumerate((50, 30)):
        heard = x[clip, :, :length]
        expected = torch.cat([heard.mean(1), heard.var(1, unbiased=False).sqrt()])
        torch.testing.assert_close(got[clip], expected, atol=1e-5, rtol=1e-5)


def test_at_least_one_frame_is_valid() -> None:
    assert valid(torch.tensor([0, 2]), 3)[:, 0].tolist() == [
        [True, False, False],
        [True, True, False],
    ]
