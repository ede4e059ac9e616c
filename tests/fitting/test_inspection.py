"""What a head consists of, as text."""

from __future__ import annotations

import pytest

from mgc.errors import UsageError
from mgc.fitting.inspection import describe_head
from mgc.plugins.contract import FeatureShape
from mgc.training.head_spec import HeadSpec


def test_the_description_counts_parameters_and_multiply_adds() -> None:
    spec = HeadSpec("mlp", {"hidden": 64})
    text = describe_head(spec, FeatureShape("vector", 100), 8)
    parameters = 100 * 64 + 64 + 2 * 64 + 64 * 8 + 8
    assert f"Parameters: {parameters:,}" in text
    assert f"Multiply-adds of a clip: {100 * 64 + 64 * 8:,}" in text
    assert "LayerNorm" in text


@pytest.mark.parametrize("head", ["cnn", "attention"])
def test_a_sequence_head_is_described_for_one_window(head: str) -> None:
    spec = HeadSpec(head, {}, {"crop_frames": 100})
    text = describe_head(spec, FeatureShape("sequence", 20), 8, frames=1292)
    assert "a window of 100 frames" in text
    assert "a window of 60 frames" in describe_head(spec, FeatureShape("sequence", 20), 8, 60)


def test_an_estimator_has_no_layers() -> None:
    with pytest.raises(UsageError, match="no layers"):
        describe_head(HeadSpec("svm"), FeatureShape("vector", 100), 8)
