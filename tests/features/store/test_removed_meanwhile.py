"""A store whose shards another process removes while one looks at them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from mgc.features.store import FeatureStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    """Two shards; one is listed, and then gone."""
    made = FeatureStore("x", {"extractor": "x"}, tmp_path)
    there = made.write_shard({"a" * 64: [np.zeros((2, 3), np.float16)]})
    gone = made.write_shard({"b" * 64: [np.ones((2, 3), np.float16)]})
    gone.unlink()
    listed = {path.name: "1 1" for path in (gone, there)}
    monkeypatch.setattr(made.place, "stamps", lambda: listed)
    return made


def test_verifying(store: FeatureStore) -> None:
    found = store.verify()
    assert (found.verified, found.unverified, found.damaged) == (1, [], [])


def test_leaving_out(store: FeatureStore) -> None:
    store.leave_out({"a" * 64, "b" * 64})
    assert not list(store.folder.glob("*.safetensors"))


def test_a_shard_that_is_gone_as_soon_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = FeatureStore("x", {"extractor": "x"}, tmp_path)
    assert "a" * 64 not in made
    put = made.place.put

    def cleared(name: str, content: Iterable[bytes], **rest: bool) -> None:
        put(name, content, **rest)
        (made.folder / name).unlink()

    monkeypatch.setattr(made.place, "put", cleared)
    made.write_shard({"a" * 64: [np.zeros((2, 3), np.float16)]})
    assert "a" * 64 not in made
