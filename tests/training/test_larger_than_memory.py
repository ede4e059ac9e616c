"""An estimator is fitted on features of which one track at a time is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc.heads import large_arrays
from mgc.heads.pooling import Pooling
from mgc.training import fitted_head
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import TrackData
from tests.tunes import split, track_data

HEADS = ("logistic", "svm", "gradient-boosting")


class ReadTracks(Sequence[Any]):
    """Tracks that are made when they are read; ``there`` counts those that are in memory."""

    def __init__(self, tracks: Sequence[Any]) -> None:
        self.tracks, self.there, self.most = tracks, 0, 0

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, number: Any) -> Any:
        self.there += 1
        self.most = max(self.most, self.there)
        return Read(np.stack(self.tracks[number]), self)


class Read(np.ndarray):
    """An array that tells its tracks when it is gone."""

    owner: ReadTracks | None = None

    def __new__(cls, array: np.ndarray, owner: ReadTracks) -> Read:
        made = array.view(cls)
        made.owner = owner
        return made

    def __del__(self) -> None:
        if self.owner is not None:
            self.owner.there -= 1


@pytest.fixture
def data() -> TrackData:
    plain = track_data("vector", tracks=96, clips=2, dtype=np.float32)
    learnt = Pooling.plain("vector")
    return replace(plain, features=ReadTracks(plain.features), learnt=learnt)


@pytest.mark.parametrize("head", HEADS)
def test_mapped_rows_give_the_same_bits(
    data: TrackData, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation, test = split(data)

    def answers(folder: str) -> tuple[np.ndarray, np.ndarray]:
        fitted = fit_head(
            HeadSpec(head, {}, {}), data, train, validation, seed=0, folder=tmp_path / folder
        )
        return fitted.predict_tracks(data, np.concatenate([train, test]))

    expected = answers("memory")
    monkeypatch.setattr(large_arrays, "SMALL", 0)
    monkeypatch.setattr(large_arrays, "SHARE_OF_MEMORY", 0.0)
    assert isinstance(large_arrays.room(3, 4), np.memmap)
    made = answers("mapped")
    assert isinstance(made[1], np.memmap)
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_few_tracks_are_in_memory_at_once(
    data: TrackData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation, test = split(data)
    whole = fit_head(
        HeadSpec("logistic", {}, {}), data, train, validation, seed=0, folder=tmp_path / "fit"
    )
    assert data.features.most <= 2  # type: ignore[attr-defined]
    rows = np.concatenate([train, test])
    expected = whole.predict_tracks(data, rows)
    data.features.most = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(fitted_head, "VECTORS_AT_A_TIME", 8)
    made = whole.predict_tracks(data, rows)
    assert data.features.most <= 16  # type: ignore[attr-defined]
    np.testing.assert_allclose(made[0], expected[0], atol=1e-6)
    np.testing.assert_array_equal(made[1], expected[1])


def test_a_disk_without_room_leaves_them_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "SMALL", 0)
    monkeypatch.setattr(large_arrays, "SHARE_OF_MEMORY", 0.0)
    usage = large_arrays.shutil.disk_usage(".")
    monkeypatch.setattr(large_arrays.shutil, "disk_usage", lambda _: usage._replace(free=47))
    assert not isinstance(large_arrays.room(3, 4), np.memmap)
