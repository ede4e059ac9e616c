"""The index of a store: says what the shards say, and is made again when it is stale or damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc.audio.sound_length import HEARING_REVISION
from mgc.features.store import DamagedShardError, FeatureStore, Origin, shards, track_rows
from mgc.features.store.shard_index import INDEX, load_index
from mgc.features.store.shards import FILES
from tests.features.store.test_damage import flip
from tests.features.store.test_feature_store import IDENTITY, again, clip, store, tracks

__all__ = ["store"]

NOW = Origin(HEARING_REVISION, "", 2.5)


@pytest.fixture(autouse=True)
def always_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_rows, "MIN_BESIDE", 0)
    monkeypatch.setattr(track_rows, "SHARE_BESIDE", 0)


def said(store: FeatureStore) -> dict[str, object]:
    """Everything that a store says of its tracks, and their clips."""
    return {
        key: (
            [part.tobytes() for part in store.read(key)],
            store.origin(key),
            store.is_current(key),
        )
        for key in store.rows
    }


def from_headers(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The same, read from the shards alone."""
    with monkeypatch.context() as patched:
        patched.setattr(track_rows, "MIN_BESIDE", 1_000)
        fresh = FeatureStore(store.name, store.identity, store.folder.parent)
        (store.folder / INDEX).unlink(missing_ok=True)
        return said(fresh)


def mixed(store: FeatureStore) -> None:
    """Shards of all kinds: two versions of a track, notes on others, earlier keys and links."""
    store.write_shard(tracks(3), {f"{0:064x}": NOW, f"{1:064x}": Origin(1, "PyAV 1", 3.0)})
    store.write_shard({**tracks(1, 3, first=1), **tracks(2, first=7)}, {f"{1:064x}": NOW})
    store.write_shard({}, {f"{2:064x}": NOW})
    store.write_shard({"a" * 64: [clip(5, "float32", (4,))], "b" * 64: [clip(6)]}, keys=FILES)
    store.write_shard({}, {"c" * 64: NOW}, {"c" * 64: "a" * 64})


def no_headers(_: object, names: list[str]) -> list[None]:
    assert not names
    return []


def test_the_index_says_what_the_shards_say(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed(store)
    expected = from_headers(store, monkeypatch)
    assert len(expected) == len(store.rows) == 7  # "c" is "a" found again, and counted once
    assert "a" * 64 not in expected
    assert "a" * 64 in store
    assert expected["c" * 64][0] == [part.tobytes() for part in store.read("a" * 64)]  # type: ignore[index]
    assert [key for key, (_, _, current) in expected.items() if current] == [  # type: ignore[misc]
        *(f"{number:064x}" for number in range(3)),
        "c" * 64,
    ]
    assert said(again(store)) == expected
    assert (store.folder / INDEX).exists()
    monkeypatch.setattr(type(store.place), "heads", no_headers)
    indexed = again(store)
    assert said(indexed) == expected
    assert indexed.rows.current([*expected]) == [now for _, _, now in expected.values()]  # type: ignore[misc]
    assert indexed.rows.earlier == {"b" * 64}
    assert "d" * 64 not in indexed
    assert indexed.rows.current(["d" * 64]) == [False]
    assert indexed.rows.current([]) == again(store).rows.current([]) == []


@pytest.mark.parametrize("beside", [0, 2, 1_000])
def test_what_others_write_is_noticed(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, beside: int
) -> None:
    """With any number of shards beside the index."""
    mixed(store)
    assert said(again(store))
    monkeypatch.setattr(track_rows, "MIN_BESIDE", beside)
    written = again(store)
    written.write_shard(tracks(2, first=20), {f"{20:064x}": NOW})
    written.write_shard({}, {"e" * 64: NOW, f"{7:064x}": NOW}, {"e" * 64: "b" * 64})
    written.write_shard(tracks(2, 1, first=20), {f"{20:064x}": NOW, f"{21:064x}": NOW})  # anew
    seen = said(again(store))
    assert seen == said(written) == from_headers(store, monkeypatch)
    assert [len(seen[f"{number:064x}"][0]) for number in (20, 21)] == [1, 1]  # type: ignore[index]
    assert seen["e" * 64][2]  # type: ignore[index]
    [gone, *_] = sorted(store.folder.glob("*.safetensors"))
    assert said(again(store))
    gone.unlink()
    assert said(again(store)) == from_headers(store, monkeypatch) != seen


@pytest.mark.parametrize("beside", [0, 1_000])
def test_what_is_found_again_is_known_in_any_order_of_the_shards(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, beside: int
) -> None:
    monkeypatch.setattr(track_rows, "MIN_BESIDE", beside)
    for number in range(6):
        earlier, sound = f"{number:064x}", f"{number + 1:x}" * 64
        store.write_shard({earlier: [clip(number)]}, keys=FILES)
        assert again(store).rows.earlier == {earlier}
        store.write_shard({}, {}, {sound: earlier})
        assert again(store).rows.earlier == store.rows.earlier == set()
        sounds = {f"{one + 1:x}" * 64 for one in range(number + 1)}
        assert {*again(store).rows} == {*store.rows} == sounds
        np.testing.assert_array_equal(again(store).read(sound)[0], clip(number))


def test_an_open_store_finds_what_another_process_put_elsewhere(store: FeatureStore) -> None:
    path = store.write_shard(tracks(3))
    reader = again(store)
    assert len(reader.rows) == 3
    store.write_shard(tracks(2))
    path.unlink()
    np.testing.assert_array_equal(reader.read(f"{1:064x}")[0], tracks(2)[f"{1:064x}"][0])
    with pytest.raises(KeyError):
        reader.read(f"{2:064x}")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"x",
    "another version's": lambda content: content.replace(b'"version": 1', b'"version": 0'),
    "no index": lambda content: b"00000000" + b"\xff" * 80,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_made_again(store: FeatureStore, damage: str) -> None:
    mixed(store)
    expected = said(again(store))
    path = store.folder / INDEX
    whole = path.read_bytes()
    path.write_bytes(DAMAGE[damage](whole))
    assert said(again(store)) == expected
    assert path.read_bytes() == whole


def test_every_flipped_bit_of_an_index_is_found(store: FeatureStore) -> None:
    mixed(store)
    expected = said(again(store))
    path = store.folder / INDEX
    for place in range(0, path.stat().st_size, 37):
        flip(path, place)
        assert not load_index(store.folder).names
    assert said(again(store)) == expected


def test_an_index_that_names_wrong_places_is_made_again(store: FeatureStore) -> None:
    """As if a shard had been replaced and neither its size nor its time had changed."""
    path = store.write_shard(tracks(2))
    assert said(again(store))
    before = path.stat()
    other = {key: clips[::-1] for key, clips in tracks(2).items()}
    store.write_shard(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    shards.unmap()
    seen = again(store)
    with pytest.raises(DamagedShardError):
        seen.read(f"{0:064x}")
    assert seen.take_out(path.name) == []
    np.testing.assert_array_equal(seen.read(f"{0:064x}")[0], other[f"{0:064x}"][0])


KILLED = """
import os, signal, sys
from mgc.features.store import FeatureStore, shard_index, track_rows
from tests.features.store.test_feature_store import IDENTITY, tracks
track_rows.MIN_BESIDE = track_rows.SHARE_BESIDE = 0
store = FeatureStore("mel", IDENTITY, sys.argv[1])
store.write_shard(tracks(2, first=4))
real = os.replace
def replace(source, target):
    if str(target).endswith(shard_index.INDEX):
        with open(source, "r+b") as file:
            file.truncate(int(sys.argv[2]))
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.replace = replace
len(store.rows)
"""


@pytest.mark.parametrize(("size", "there"), [(0, False), (100, True)])
def test_killed_while_the_index_is_written(
    store: FeatureStore, tmp_path: Path, size: int, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_shard(tracks(4))
    if there:
        assert len(again(store).rows) == 4
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(size)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (store.folder / INDEX).exists() == there
    expected = from_headers(store, monkeypatch)
    assert len(expected) == 6
    assert said(again(store)) == expected
    assert len(load_index(store.folder).names) == 2


def test_an_index_that_cannot_be_written_is_used_from_memory(store: FeatureStore) -> None:
    mixed(store)
    expected = said(again(store))
    (store.folder / INDEX).unlink()
    (store.folder / INDEX).mkdir()
    seen = again(store)
    assert said(seen) == expected
    assert seen.rows.index.names
    store.write_shard(tracks(2, first=30))
    assert len(again(store).rows) == 9


def test_another_machines_shards_are_indexed_here(
    mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object store's index is beside what was read from it."""
    bucket = f"memory://index/{tmp_path.name}"
    writer = FeatureStore("mel", IDENTITY, bucket)
    writer.write_shard(tracks(3))
    expected = said(writer)
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    assert set(FeatureStore("mel", IDENTITY, bucket).rows) == set(expected)
    with monkeypatch.context() as patched:
        patched.setattr(type(writer.place), "heads", no_headers)
        assert said(FeatureStore("mel", IDENTITY, bucket)) == expected
    monkeypatch.delenv("MGC_HOME")
    writer.write_shard(tracks(1, first=9))
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    assert len(FeatureStore("mel", IDENTITY, bucket).rows) == 4


def test_a_copy_of_a_shard_that_another_machine_replaced_is_fetched_again(
    mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"memory://replaced/{tmp_path.name}"
    writer = FeatureStore("mel", IDENTITY, bucket)
    writer.write_shard(tracks(2))
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    key = f"{1:064x}"
    assert len(FeatureStore("mel", IDENTITY, bucket).read(key)) == 2
    monkeypatch.delenv("MGC_HOME")
    writer.write_shard(tracks(2, clips=3))
    shards.unmap()
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    reader = FeatureStore("mel", IDENTITY, bucket)
    for made, expected in zip(reader.read(key), tracks(2, clips=3)[key], strict=True):
        np.testing.assert_array_equal(made, expected)
