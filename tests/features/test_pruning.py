"""What nothing refers to is removed, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc.audio.sound_hash import sound_hash
from mgc.errors import MgcError
from mgc.features import file_hashes, pruning
from mgc.features.store import FeatureStore, Origin, opened_stores
from mgc.features.store.shards import FILES
from tests.conftest import Told
from tests.features.extraction.test_extract import album


def tracks_of(name: str) -> dict[str, list[bytes]]:
    [store] = (one for one in opened_stores() if one.name == name)
    return {key: [clip.tobytes() for clip in store.read(key)] for key in store.rows}


def test_features_of_a_removed_dataset_go_and_those_of_runs_stay(
    mgc: Callable[..., Told], mgc_home: Path, music: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for number, path in enumerate(album(tmp_path / "album", 40)):  # across two shards
        (folder := other / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    assert mgc("data", "add", "m", music).code == 0
    assert mgc("fit", "-e", "mfcc", "--head", "logistic").code == 0
    kept = tracks_of("mfcc")
    assert mgc("data", "add", "other", other).code == 0
    assert mgc("features", "extract", "mfcc", "--data", "other").code == 0
    everything = tracks_of("mfcc")
    assert len(everything) == len(kept) + 40
    said = mgc("features", "prune")
    assert "All stored features are of music that a dataset or a run refers to." in said.out
    assert mgc("data", "remove", "other").code == 0
    assert mgc("data", "remove", "m").code == 0  # its run stays
    said = mgc("features", "prune", "--json")
    rows = {row["store"].partition("-")[0]: row for row in said.json}
    assert (rows["mfcc"]["tracks"], rows["mfcc"]["unused"]) == (len(everything), 40)
    assert rows["mfcc"]["MB"] == pytest.approx(
        sum(len(c) for key in everything.keys() - kept for c in everything[key]) / 1e6, abs=0.05
    )
    assert rows["texture"]["unused"] == 0
    assert "Remove them: add --write" in mgc("features", "prune").out
    assert tracks_of("mfcc") == everything
    assert "Removed" in mgc("features", "prune", "--write").out
    assert tracks_of("mfcc") == kept
    assert mgc("features", "verify").code == 0
    assert mgc("runs", "remove", "m-mfcc-logistic-1").code == 0
    assert mgc("features", "prune", "--write").code == 0
    assert mgc("features", "status", "--json").json == []


@pytest.fixture
def store(mgc_home: Path) -> FeatureStore:
    return FeatureStore("mel", {"extractor": "mel"})


def clips(seed: int) -> list[np.ndarray]:
    return [np.random.default_rng(seed).standard_normal((3, 5)).astype(np.float16)]


def test_what_an_earlier_version_stored_goes_only_when_its_sound_is_known(
    store: FeatureStore, tmp_path: Path
) -> None:
    used, gone, unknown = ("a" * 64, "b" * 64, "c" * 64)
    store.write_shard({used: clips(1), gone: clips(2), unknown: clips(3)}, keys=FILES)
    same = {"1" * 64: used, "2" * 64: gone}
    store.write_shard({}, dict.fromkeys(same, Origin(2)), same)
    store.refresh()
    [found] = pruning.unused({"1" * 16})
    assert (found.tracks, found.bytes, found.stored) == ({"2" * 64}, 30, 3)
    pruning.remove(found)
    [left] = opened_stores()
    assert set(left.rows) == {unknown, "1" * 64}
    assert (used in left, gone in left) == (True, False)
    assert left.rows.earlier == {unknown}
    assert left.origin("1" * 64) == Origin(2)
    np.testing.assert_array_equal(left.read("1" * 64)[0], clips(1)[0])


def test_what_a_run_knows_by_an_earlier_hash_stays(store: FeatureStore) -> None:
    store.write_shard({"a" * 64: clips(1), "b" * 64: clips(2)}, keys=FILES)
    store.write_shard({}, {}, {"1" * 64: "a" * 64, "2" * 64: "b" * 64})
    store.refresh()
    [found] = pruning.unused({"a" * 16})
    assert (found.tracks, found.bytes, found.stored) == ({"2" * 64}, 30, 2)
    pruning.remove(found)
    [left] = opened_stores()
    assert set(left.rows) == {"1" * 64}


def test_music_that_is_away_is_not_forgotten(
    mgc: Callable[..., Told], store: FeatureStore, music: Path, tmp_path: Path
) -> None:
    here = Path(shutil.copytree(music, tmp_path / "here"))
    assert mgc("data", "add", "m", here).code == 0
    keys = {sound_hash(path)[:16] for path in here.rglob("*.wav")}
    assert keys
    assert pruning.in_use() >= keys
    here.rename(tmp_path / "away")
    assert pruning.in_use() >= keys
    file_hashes._CACHE.path.unlink()
    with pytest.raises(MgcError, match="The files of dataset 'm' are not there"):
        pruning.in_use()


def test_a_damaged_run_stops_it(mgc: Callable[..., Told], mgc_home: Path) -> None:
    (mgc_home / "runs" / "r").mkdir(parents=True)
    (mgc_home / "runs" / "r" / "run.json").write_text("{")
    assert mgc("features", "prune").code == 1


@pytest.mark.parametrize("words", ["status", "verify", "prune --write", "clear"])
def test_an_object_store_is_left_alone(
    words: str, mgc: Callable[..., Told], mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGC_FEATURES", "memory://bucket/x")
    said = mgc("features", *words.split())
    assert said.code == 1
    assert "which other machines may use" in said.err
