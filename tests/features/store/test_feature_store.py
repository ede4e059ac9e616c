"""The store: what is written is read back, whole or not at all."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import numpy as np
import pytest
from safetensors.numpy import load_file

from mgc.errors import MgcError
from mgc.features.store import (
    DamagedShardError,
    FeatureStore,
    backends,
    fingerprint,
    shards,
    stores,
)
from mgc.home import host_name

IDENTITY = {"extractor": "mel", "params": {"n_mels": 8}, "revision": 1}


def clip(seed: int, dtype: str = "float16", shape: tuple[int, ...] = (8, 31)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def tracks(count: int, clips: int = 2, first: int = 0) -> dict[str, list[np.ndarray]]:
    return {
        f"{number:064x}": [clip(10 * number + part) for part in range(clips)]
        for number in range(first, first + count)
    }


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore("mel", IDENTITY, tmp_path)


def again(store: FeatureStore) -> FeatureStore:
    """The same store as another process sees it."""
    return FeatureStore(store.name, store.identity, store.folder.parent)


def test_what_is_written_is_read(store: FeatureStore) -> None:
    written = tracks(5)
    store.write_shard(written)
    for seen in (store, again(store)):
        assert set(seen.rows) == set(written)
        for key, clips in written.items():
            assert key in seen
            for made, expected in zip(seen.read(key), clips, strict=True):
                assert made.dtype == expected.dtype
                np.testing.assert_array_equal(made, expected)


def test_a_shard_is_a_safetensors_file(store: FeatureStore) -> None:
    mixed = {"a" * 64: [clip(1), clip(2, "float32", (3, 5))], "b" * 64: [clip(3, shape=(1, 1))]}
    found = load_file(store.write_shard(mixed))
    assert set(found) == {"a" * 64 + ".0", "a" * 64 + ".1", "b" * 64 + ".0"}
    np.testing.assert_array_equal(found["a" * 64 + ".1"], mixed["a" * 64][1])
    for made in store.read("a" * 64):
        assert made.flags.aligned


def test_more_than_ten_clips_stay_in_order(store: FeatureStore) -> None:
    written = tracks(1, clips=23)
    store.write_shard(written)
    for made, expected in zip(store.read("0" * 64), written["0" * 64], strict=True):
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("shape", [(12,), (3, 12), (12, 0)])
def test_other_shapes(store: FeatureStore, shape: tuple[int, ...]) -> None:
    store.write_shard({"a" * 64: [clip(1, "float32", shape)]})
    assert again(store).read("a" * 64)[0].shape == shape


def test_what_is_read_is_mapped_and_read_only(store: FeatureStore) -> None:
    store.write_shard(tracks(2))
    made = store.read("0" * 64)[0]
    assert not made.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        made[0, 0] = 1


def test_the_same_work_gives_the_same_file(store: FeatureStore, tmp_path: Path) -> None:
    first = store.write_shard(tracks(3))
    content = first.read_bytes()
    assert store.write_shard(tracks(3)) == first
    assert first.read_bytes() == content
    other = FeatureStore("mel", IDENTITY, tmp_path / "other").write_shard(tracks(3))
    assert (other.name, other.read_bytes()) == (first.name, content)


def test_every_value_of_an_identity_changes_the_fingerprint() -> None:
    made = {
        fingerprint(identity)
        for identity in (
            IDENTITY,
            {**IDENTITY, "revision": 2},
            {**IDENTITY, "params": {"n_mels": 9}},
            {**IDENTITY, "decoder": "another"},
        )
    }
    assert len(made) == 4
    assert fingerprint(dict(reversed(IDENTITY.items()))) == fingerprint(IDENTITY)


def test_the_identity_is_written_down(store: FeatureStore) -> None:
    store.write_shard(tracks(1))
    record = json.loads((store.folder / "identity.json").read_text())
    assert record["identity"] == IDENTITY
    assert record["fingerprint"] == store.fingerprint


def test_stores_lists_what_is_at_home(mgc_home: Path) -> None:
    assert list(stores()) == []
    made = FeatureStore("mel", IDENTITY)
    made.write_shard(tracks(1))
    [(folder, record)] = stores()
    assert folder == made.folder == mgc_home / "features" / f"mel-{made.fingerprint[:12]}"
    assert record["identity"] == IDENTITY


DAMAGE = {
    "empty": lambda content: b"",
    "header cut off": lambda content: content[:20],
    "length cut off": lambda content: content[:5],
    "data cut off": lambda content: content[:-1],
    "no JSON": lambda content: content[:8] + b"x" * (len(content) - 8),
    "absurd length": lambda content: b"\xff" * 8 + content[8:],
    "another type": lambda content: content.replace(b'"F16"', b'"I64"'),
    "a list": lambda content: (2).to_bytes(8, "little") + b"[]",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_shard_is_named(store: FeatureStore, damage: str) -> None:
    path = store.write_shard(tracks(2))
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(MgcError, match="is damaged") as caught:
        assert again(store).rows
    assert str(path) in caught.value.message
    assert f"rm '{path}'" in caught.value.hint


def test_what_killed_processes_left_is_removed(store: FeatureStore) -> None:
    store.folder.mkdir(parents=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = host_name()
    left = store.folder / f".abc.safetensors.{host}.{gone.pid}.tmp"
    living = store.folder / f".abc.safetensors.{host}.{os.getpid()}.tmp"
    elsewhere = store.folder / f".abc.safetensors.another-host.{gone.pid}.tmp"
    for path in (left, living, elsewhere):
        path.write_bytes(b"half")
    store.write_shard(tracks(1))
    assert not left.exists()
    assert living.exists()
    assert elsewhere.exists()
    assert set(again(store).rows) == set(tracks(1))


WRITER = """
import sys
from tests.features.store.test_feature_store import IDENTITY, tracks
from mgc.features.store import FeatureStore
store = FeatureStore("mel", IDENTITY, sys.argv[1])
for number in range(100_000):
    store.write_shard(tracks(8, first=8 * number))
    print(number, flush=True)
"""


def test_killed_between_and_during_shards(tmp_path: Path) -> None:
    """Whatever the moment, every finished shard is there, whole, and no half-written one."""
    for finished in (1, 4, 9):
        root = tmp_path / str(finished)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < finished:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        store = FeatureStore("mel", IDENTITY, root)
        promised = tracks(8 * finished + 8)
        for key, clips in promised.items():
            for made, expected in zip(store.read(key), clips, strict=True):
                np.testing.assert_array_equal(made, expected)
        assert len(store.rows) % 8 == 0


def test_a_full_disk_is_one_line_and_leaves_nothing_half(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes a real write fail half way."""
    code = f"""
        import resource, sys
        from tests.features.store.test_feature_store import IDENTITY, tracks
        from mgc.errors import MgcError
        from mgc.features.store import FeatureStore
        store = FeatureStore("mel", IDENTITY, {str(tmp_path)!r})
        store.write_shard(tracks(2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            store.write_shard(tracks(64, first=100))
        except MgcError as error:
            print(error.message, error.hint)
        else:
            sys.exit("it was written")
        print(len(FeatureStore("mel", IDENTITY, {str(tmp_path)!r}).rows))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "Cannot write" in done.stdout
    assert "Free some space" in done.stdout
    assert done.stdout.split()[-1] == "2"
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_place_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FeatureStore("mel", IDENTITY, tmp_path / "file")
    with pytest.raises(MgcError, match="Cannot write"):
        store.write_shard(tracks(1))


def test_more_shards_than_file_descriptors(store: FeatureStore) -> None:
    count = 90
    for number in range(count):
        store.write_shard(tracks(1, clips=1, first=number))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shards._mapped.cache_clear()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        held = [store.read(f"{number:064x}")[0] for number in range(count)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        shards._mapped.cache_clear()
    for number, made in enumerate(held):
        np.testing.assert_array_equal(made, clip(10 * number))


@pytest.fixture
def bucket(mgc_home: Path, request: pytest.FixtureRequest) -> str:
    """An object store: fsspec's in memory."""
    return f"memory://bucket/{request.node.name}"


def test_an_object_store_keeps_shards(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_FEATURES", bucket + "/")
    written = tracks(70)  # a header of more than one block
    monkeypatch.setattr(backends, "HEAD_BYTES", 1_000)
    [name] = {FeatureStore("mel", IDENTITY).write_shard(written).name}
    files = fsspec.filesystem("memory")
    store = FeatureStore("mel", IDENTITY)
    remote = [name.rpartition("/")[2] for name in files.find(bucket.removeprefix("memory:/"))]
    assert sorted(remote) == sorted([name, "identity.json"])
    assert set(store.rows) == set(written)


def test_what_is_put_into_an_object_store_is_kept_here_if_the_store_is_read_here(
    bucket: str,
) -> None:
    reader, writer = (FeatureStore("mel", IDENTITY, bucket) for _ in range(2))
    assert not reader.rows
    path = reader.write_shard(tracks(2))
    assert path.exists()
    assert len(reader.read(f"{1:064x}")) == 2
    other = {key: clips[::-1] for key, clips in tracks(2).items()}
    assert writer.write_shard(other) == path
    assert not path.exists()  # of the same size: it would be taken for what is there now
    shards.unmap()
    made = FeatureStore("mel", IDENTITY, bucket).read(f"{1:064x}")
    np.testing.assert_array_equal(made[0], other[f"{1:064x}"][0])


def test_another_machine_reads_headers_first_and_shards_when_asked(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    writer = FeatureStore("mel", IDENTITY, bucket)
    writer.write_shard(tracks(2))
    writer.write_shard(tracks(2, first=2))
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    reader = FeatureStore("mel", IDENTITY, bucket)
    assert set(reader.rows) == set(tracks(4))
    assert not list(reader.folder.glob("*"))
    for made, expected in zip(reader.read(f"{3:064x}"), tracks(4)[f"{3:064x}"], strict=True):
        np.testing.assert_array_equal(made, expected)
    assert len(list(reader.folder.glob("*.safetensors"))) == 1


def test_a_damaged_copy_is_read_again_from_the_object_store(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    FeatureStore("mel", IDENTITY, bucket).write_shard(tracks(2))
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another machine"))
    reader = FeatureStore("mel", IDENTITY, bucket)
    before = reader.place.stamps()
    assert reader.read(f"{1:064x}")
    [copy] = reader.folder.glob("*.safetensors")
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    reader = FeatureStore("mel", IDENTITY, bucket)
    shards.unmap()
    with pytest.raises(DamagedShardError) as caught:
        reader.read(f"{1:064x}")
    assert reader.take_out(caught.value.name) == []
    for made, expected in zip(reader.read(f"{1:064x}"), tracks(2)[f"{1:064x}"], strict=True):
        np.testing.assert_array_equal(made, expected)
    assert reader.place.stamps() == before


def test_a_folder_may_be_named_by_its_url(mgc_home: Path, tmp_path: Path) -> None:
    FeatureStore("mel", IDENTITY, f"file://{tmp_path}/new/objects").write_shard(tracks(2))
    assert len(list((tmp_path / "new" / "objects").glob("mel-*/*.safetensors"))) == 1


def test_an_object_store_that_cannot_be_reached(mgc_home: Path) -> None:
    with pytest.raises(MgcError, match="cannot be opened") as caught:
        FeatureStore("mel", IDENTITY, "nowhere://bucket")
    assert "fsspec" in caught.value.hint


def test_an_object_store_that_fails(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore("mel", IDENTITY, bucket)

    def refuse(*args: object, **named: object) -> None:
        raise PermissionError("access denied")

    monkeypatch.setattr(type(store.place.files), "pipe_file", refuse)
    with pytest.raises(MgcError, match="access denied"):
        store.write_shard(tracks(1))
