"""Files that are retagged, renamed or moved are found again; nothing is decoded for them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from mgc.audio import decoding
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.sound_hash import FORMER_SCHEME, sound_hash
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store import shards
from tests.audio.test_sound_hash import CASES as TAGGED
from tests.audio.test_sound_hash import MAKERS
from tests.features.extraction.test_heard_before import Told, stored_by_the_first_version

#: The first version heard the other one in part.
CASES = [case for case in TAGGED if case[0] != "vbr_no_xing.mp3"]
POLICY = ClipPolicy(1.0, 2)


def sources() -> list[ExtractorSpec]:
    return [ExtractorSpec("mfcc", policy=POLICY), ExtractorSpec("chroma", policy=POLICY)]


@pytest.fixture
def library(tmp_path: Path, mgc_home: Path) -> dict[Path, object]:
    """Path → how to tag it."""
    found = {}
    for number, (name, tag) in enumerate(CASES):
        path = tmp_path / "library" / f"{number}-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(MAKERS[name](48_000, 1, 2.0 + number / 16))
        found[path] = tag
    return found


def test_nothing_is_decoded_again(
    library: dict[Path, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(list(library), sources())
    assert (first.made, first.failures) == (len(CASES), [])
    for path, tag in library.items():
        tag(path)  # type: ignore[operator]
    shutil.move(tmp_path / "library", tmp_path / "moved")
    moved = [tmp_path / "moved" / f"other {path.name}" for path in library]
    for path in library:
        (tmp_path / "moved" / path.name).rename(tmp_path / "moved" / f"other {path.name}")
    for forbidden in ("probe", "excerpts", "decode", "opened"):
        monkeypatch.setattr(decoding, forbidden, None)
    again = extract(moved, sources(), workers=1)
    assert (again.made, again.found, again.failures) == (0, len(CASES), [])
    assert list(again.hashes.values()) == list(first.hashes.values())


def test_a_store_of_whole_files_is_found_again_once(
    library: dict[Path, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By files that are tagged afterwards, too."""
    for path in library:
        stored_by_the_first_version(path, sources(), decoding.probe(path).seconds)
    told = Told()
    assert extract(list(library), sources(), told, workers=1).found == len(CASES)
    assert told.lines == [f"Features of {len(CASES)} tracks of an earlier version found again."]
    assert [len(source.store.rows) for source in sources()] == [len(CASES)] * 2
    for path, tag in library.items():
        tag(path)  # type: ignore[operator]
    for forbidden in ("probe", "excerpts", "decode", "opened"):
        monkeypatch.setattr(decoding, forbidden, None)
    told = Told()
    assert extract(list(library), sources(), told, workers=1).found == len(CASES)
    assert told.lines == []


def test_a_store_of_the_former_rule_is_found_again_once(
    tmp_path: Path, mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that took an mp3 for the bytes between its tags, with the Xing header."""
    names, files = ["cbr.mp3", "vbr_no_xing.mp3", "a.flac", "a.wav", "a.aiff", "a.au"], []
    for number, name in enumerate(names):
        files.append(tmp_path / name)
        files[-1].write_bytes(MAKERS[name](48_000, 1, 2.0 + number / 16))
    former = {path: sound_hash(path, FORMER_SCHEME) for path in files}
    whole = hashlib.sha256(b"sound-sha256-1" + files[0].read_bytes()).hexdigest()
    assert former[files[0]] == whole
    first = extract(files, sources())
    for source in sources():
        stored = {sha: source.store.read(first.hashes[path]) for path, sha in former.items()}
        clips = {sha: [np.array(clip) for clip in some] for sha, some in stored.items()}
        origins = {sha: source.store.origin(first.hashes[path]) for path, sha in former.items()}
        source.store.leave_out({*first.hashes.values()})
        source.store.write_shard(clips, origins, keys=FORMER_SCHEME)
    for forbidden in ("probe", "excerpts", "decode", "opened"):
        monkeypatch.setattr(decoding, forbidden, None)
    for lines in ([f"Features of {len(files)} tracks of an earlier version found again."], []):
        told = Told()
        again = extract(files, sources(), told, workers=1)
        assert (again.found, again.failures, told.lines) == (len(files), [], lines)
        assert again.hashes == first.hashes


def test_repaired_shards_keep_the_rule_of_their_hashes(library: dict[Path, object]) -> None:
    for path in library:
        stored_by_the_first_version(path, sources(), decoding.probe(path).seconds)
    [store, _] = (source.store for source in sources())
    assert len(store.verify(add=True).unverified) == 0
    heads = store.place.heads([*store.place.stamps()])
    found = [shards.shard(store.folder / name, head, size) for name, head, size in heads]
    assert {shard.keys for shard in found} == {"file-sha256-1"}
    assert extract(list(library), sources()[:1], workers=1).found == len(CASES)
