"""What changed in a stored shard is named, taken out and made again; nothing else is lost."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.audio.decoding import content_hash
from mgc.audio.sound_hash import SCHEME, sound_hash
from mgc.features.store import DamagedShardError, FeatureStore
from mgc.features.store.feature_store import opened_stores
from mgc.features.store.shards import FILES, Origin
from tests.conftest import Told
from tests.features.store.test_feature_store import again, store, tracks

__all__ = ["store"]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def without_checksums(path: Path) -> None:
    """Make a shard what a version without checksums wrote."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    del header["__metadata__"]["checksum"], header["__metadata__"]["clips"]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def test_every_flipped_bit_of_a_shard_is_found(store: FeatureStore) -> None:
    written = tracks(3)
    path = store.write_shard(written, dict.fromkeys(written, Origin(2, "", 1.5)))
    whole = path.read_bytes()
    places = np.random.default_rng(0).choice(len(whole), 200, replace=False)
    found = 0
    for place in [*range(8), *places]:
        flip(path, int(place))
        fresh = again(store)
        try:
            for audio_hash, clips in written.items():
                assert fresh.origin(audio_hash) == Origin(2, "", 1.5)
                for one, other in zip(fresh.read(audio_hash), clips, strict=True):
                    np.testing.assert_array_equal(one, other)
        except DamagedShardError as error:
            found += str(path) in error.message
        path.write_bytes(whole)
    assert found > 190


def test_only_the_damaged_track_is_taken_out(store: FeatureStore) -> None:
    written = tracks(4)
    origins = dict.fromkeys(written, Origin(2, "", 1.5))
    path = store.write_shard(written, origins)
    flip(path, -1)
    fresh = again(store)
    [damaged] = [sha for sha in written if not _reads(fresh, sha)]
    (line,) = fresh.verify().damaged
    assert damaged in line
    assert not path.exists()
    left = again(store)
    assert set(left.rows) == set(written) - {damaged}
    for audio_hash in left.rows:
        assert left.origin(audio_hash) == origins[audio_hash]
        np.testing.assert_array_equal(left.read(audio_hash)[1], written[audio_hash][1])
    assert vars(left.verify()) == {"verified": 3, "unverified": [], "damaged": []}


def test_a_pipe_in_place_of_a_shard_is_named_and_taken_out(store: FeatureStore) -> None:
    path = store.write_shard(tracks(2))
    path.unlink()
    os.mkfifo(path)
    (line,) = again(store).verify().damaged
    assert line == f"{path} is damaged: it is not a regular file."
    assert not path.exists()


def _reads(store: FeatureStore, audio_hash: str) -> bool:
    try:
        return bool(store.read(audio_hash))
    except DamagedShardError:
        return False


def test_shards_without_checksums_are_read_counted_and_given_them(store: FeatureStore) -> None:
    written = tracks(3)
    path = store.write_shard(written)
    whole = path.read_bytes()
    without_checksums(path)
    fresh = again(store)
    for audio_hash in written:
        np.testing.assert_array_equal(fresh.read(audio_hash)[0], written[audio_hash][0])
    assert vars(fresh.verify()) == {
        "verified": 0,
        "unverified": sorted(written),
        "damaged": [],
    }
    assert fresh.verify(add=True).verified == 3
    assert path.read_bytes() == whole


@pytest.mark.parametrize("keys", [SCHEME, FILES])
def test_a_fit_extracts_damaged_features_again(
    keys: str, mgc: Callable, mgc_home: Path, music: Path
) -> None:
    assert mgc("data", "add", "m", music).code == 0
    fit = ("fit", "-e", "mfcc", "--head", "logistic")
    assert mgc(*fit).code == 0
    if keys == FILES:
        as_before_0_2(music)
    [path, *_] = (mgc_home / "features").glob("mfcc-*/*.safetensors")
    flip(path, -1)
    told = mgc(*fit)
    assert told.code == 0, told.err
    assert "has changed since it was written. Extracting 1 track again." in told.err
    first, second = (runs.load(f"m-mfcc-logistic-{n}").predictions for n in (1, 2))
    assert first.equals(second)
    assert mgc("features", "verify").code == 0
    [path, *_] = (mgc_home / "features").glob("mfcc-*/*.safetensors")
    flip(path, 200)  # in its header
    told = mgc("features", "verify", "--json")
    assert told.code == 1
    assert str(path) in told.json[0]["damaged"][0]
    told = mgc(*fit)
    assert told.code == 0, told.err
    assert first.equals(runs.load("m-mfcc-logistic-3").predictions)
    assert mgc("features", "verify").code == 0


def as_before_0_2(music: Path) -> None:
    """Write the features of MFCC anew, by the hashes of whole files."""
    [store] = [one for one in opened_stores() if one.name == "mfcc"]
    hashes = {content_hash(path): sound_hash(path) for path in music.rglob("*.wav")}
    clips = {file: [clip.copy() for clip in store.read(sound)] for file, sound in hashes.items()}
    for path in store.folder.glob("*.safetensors"):
        path.unlink()
    again(store).write_shard(clips, keys=FILES)


def test_one_damaged_store_hides_no_other(mgc: Callable[..., Told], mgc_home: Path) -> None:
    policy = {"params": {}, "clip_seconds": 30, "clips_per_track": 4}
    made = [FeatureStore(name, {"extractor": name, **policy}) for name in ("mel", "mfcc")]
    for one in made:
        one.write_shard({"a" * 64: [np.zeros((2, 3), np.float32)]})
    damaged = made[1].folder
    (damaged / "identity.json").write_text("{")
    said = mgc("features", "status", "--json")
    assert [row["extractor"] for row in said.json] == ["mel"]
    assert f"rm -r '{damaged}'" in said.err
