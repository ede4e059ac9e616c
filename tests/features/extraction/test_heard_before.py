"""Features that an earlier version made: kept if they are of the whole track, else made again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mgc.audio import decoders, decoding
from mgc.audio.audio_format import AudioFormat
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.clips import Clips
from mgc.audio.sound_hash import sound_hash
from mgc.audio.sound_length import HEARING_REVISION
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction import extract
from mgc.features.extraction.one_file import apply
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store import FeatureStore, Origin, shards
from mgc.progress import Silent
from tests.sounds import FORMATS, album, music, write

RATE = 44_100
SEVERAL, ONE = ClipPolicy(1.0, 3), ClipPolicy(6.0, 1)
FOUND = "Features of 1 track of an earlier version found again."
AGAIN = "1 track was heard in part by an earlier version and extracted again."


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _home(mgc_home: Path) -> None:
    pass


def sources(policy: ClipPolicy) -> list[ExtractorSpec]:
    """A sequence and a vector."""
    return [ExtractorSpec("mfcc", policy=policy), ExtractorSpec("chroma", policy=policy)]


def stored_by_the_first_version(path: Path, where: list[ExtractorSpec], taken: float) -> None:
    """A shard as version 0.1.0 wrote it, of a file that it took to have this length."""
    for source in where:
        tensors = {}
        rate = source.info.sample_rate
        for number, start in enumerate(source.policy.starts(taken)):
            wave, _ = decoding.decode(path, rate, start=start, seconds=source.policy.seconds)
            [row] = apply(source, Clips(torch.from_numpy(wave)[None], rate), path)
            tensors[f"{decoding.content_hash(path)}.{number}"] = row
        store = source.store
        store.place.keep_identity(store._record())
        name = f"{decoding.content_hash(path)[:24]}.safetensors"
        save_file(tensors, store.folder / name, metadata={"mgc": "1"})
        store.refresh()


@dataclass(frozen=True)
class Case:
    """A file, the length that the first version took, the length that is there, and the verdict."""

    make: Callable[[Path], Path]
    taken: float
    there: float
    policy: ClipPolicy
    is_right: bool


def song(suffix: str, seconds: float = 8.0) -> Callable[[Path], Path]:
    rate = 48_000 if suffix == ".opus" else RATE
    return lambda folder: write(folder / f"a{suffix}", music(seconds, rate), rate)


def truncated(folder: Path) -> Path:
    """Half an mp3, whose header claims 8 s."""
    path = song(".mp3")(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def joined(suffix: str) -> Callable[[Path], Path]:
    """Two files in one, of which a header claims the first."""

    def make(folder: Path) -> Path:
        path = song(suffix, 3.0)(folder)
        second = write(folder / f"b{suffix}", music(6.0, RATE, seed=1), RATE)
        path.write_bytes(path.read_bytes() + second.read_bytes())
        return path

    return make


CASES = {
    **{f"whole {suffix}": Case(song(suffix), 8.0, 8.0, SEVERAL, True) for suffix in FORMATS},
    "whole, one clip": Case(song(".flac"), 8.0, 8.0, ONE, True),
    "shorter than a clip": Case(song(".wav", 4.0), 4.0, 4.0, ONE, True),
    "truncated, one clip": Case(truncated, 8.0, 4.0, ONE, False),
    "truncated, several clips, counted then": Case(truncated, 4.0, 4.0, SEVERAL, True),
    "truncated, several clips, counted wrongly": Case(truncated, 2.0, 4.0, SEVERAL, False),
    "joined mp3, the first heard": Case(joined(".mp3"), 3.0, 9.0, ONE, False),
    "joined mp3, as many clips as in the whole": Case(joined(".mp3"), 3.0, 9.0, SEVERAL, False),
    "chained ogg, the first heard": Case(joined(".ogg"), 3.0, 9.0, ONE, False),
}


def seconds_there(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """What the rule of hearing counts; `mgc.audio.sound_length` has its own tests."""
    counted = AudioFormat(RATE, 1, round(seconds * RATE))
    monkeypatch.setattr(decoding, "probe", lambda _: counted)


@pytest.mark.parametrize("name", CASES)
def test_stored_seconds_are_compared_with_counted_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    path = case.make(tmp_path)
    where = sources(case.policy)
    stored_by_the_first_version(path, where, case.taken)
    before = {source.name: source.store.fingerprint for source in where}
    seconds_there(monkeypatch, case.there)
    told = Told()
    done = extract([path], where, told)
    assert (done.made, done.found) == ((0, 1) if case.is_right else (1, 0))
    assert told.lines == ([FOUND] if case.is_right else [FOUND, AGAIN])
    for source in sources(case.policy):
        assert source.store.fingerprint == before[source.name]
        assert source.store.is_current(done.hashes[path])
    for forbidden in ("probe", "excerpts", "content_hash"):  # compared once
        monkeypatch.setattr(decoding, forbidden, None)
    again = extract([path], sources(case.policy), told)
    assert (again.made, again.found) == (0, 1)
    assert len(told.lines) == 1 + (not case.is_right)


def test_only_what_is_wrong_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty tracks in a store of the first version, three were heard in part."""
    paths = album(tmp_path, 40)
    extract(paths, sources(SEVERAL))
    as_the_first_version_wrote()
    wrong = {paths[number] for number in (0, 17, 39)}
    real = decoding.probe

    def probe(path: Path) -> AudioFormat:
        found = real(path)
        return AudioFormat(found.sample_rate, 1, found.samples * (1 + (path in wrong)))

    monkeypatch.setattr(decoding, "probe", probe)
    told = Told()
    done = extract(paths, sources(SEVERAL), told)
    assert (done.made, done.found) == (3, 37)
    assert told.lines == ["3 tracks were heard in part by an earlier version and extracted again."]
    for source in sources(SEVERAL):
        assert len(source.store.rows) == 40
        for path in paths:
            made = source.store.read(done.hashes[path])
            fresh = FeatureStore(source.name, source.identity()).read(done.hashes[path])
            for one, other in zip(made, fresh, strict=True):
                np.testing.assert_array_equal(one, other)


def as_the_first_version_wrote() -> None:
    """Take from the stores of several clips what says how their tracks were heard."""
    for source in sources(SEVERAL):
        for shard in source.store.folder.glob("*.safetensors"):
            without_origins(shard)


def without_origins(path: Path) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(path)
    save_file(tensors, path, metadata={"mgc": "1"})


def test_a_stopped_comparison_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = album(tmp_path, 40)
    extract(paths, sources(SEVERAL))
    as_the_first_version_wrote()
    real = decoding.probe

    def stopping(path: Path) -> AudioFormat:
        if path == paths[36]:
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(decoding, "probe", stopping)
    with pytest.raises(KeyboardInterrupt):
        extract(paths, sources(SEVERAL), workers=1)
    [mfcc, _] = sources(SEVERAL)
    current = [path for path in paths if mfcc.store.is_current(sound_hash(path))]
    assert current == paths[:32]


def test_what_cannot_be_compared_here_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(".flac")(tmp_path)
    stored_by_the_first_version(path, sources(ONE), 8.0)
    sha = decoding.content_hash(path)

    def unreadable(_: Path) -> AudioFormat:
        raise decoding.AudioError("a: cannot be read.") from PermissionError(13, "no")

    monkeypatch.setattr(decoding, "probe", unreadable)
    assert extract([path], sources(ONE)).found == 1
    assert not sources(ONE)[0].store.is_current(sha)


def test_a_store_that_cannot_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared store of an earlier version, on a disk that one may only read."""
    paths = album(tmp_path, 3)
    where = sources(SEVERAL)
    for path in paths:
        stored_by_the_first_version(path, where, 1.0)

    def refused(*_: object) -> Path:
        raise MgcError("Cannot write the shard: Read-only file system.")

    monkeypatch.setattr(FeatureStore, "write_shard", refused)
    told = Told()
    assert extract([paths[-1]], where, told).found == 1
    said = "The next run will look at all files again: Cannot write the shard"
    assert [line.startswith(said) for line in told.lines[:1]] == [True]


def test_only_what_pyav_decoded_is_made_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")
    from tests.audio.test_ffmpeg import encode

    by_av = encode(tmp_path / "a.m4a", music(3.0, RATE, channels=2))
    paths = [by_av, *album(tmp_path, 4)]
    first = extract(paths, sources(SEVERAL))
    prints = [source.store.fingerprint for source in sources(SEVERAL)]
    origin = sources(SEVERAL)[0].store.origin(first.hashes[by_av])
    assert (origin.hearing, origin.pyav) == (HEARING_REVISION, decoders.pyav())
    assert origin.seconds == pytest.approx(3.0, abs=0.1)
    assert extract(paths, sources(SEVERAL)).found == 5
    told = Told()
    for version in ("", "PyAV 99", "PyAV 99", "PyAV 100"):
        with monkeypatch.context() as changed:
            changed.setattr(decoders, "pyav", lambda now=version: now)
            done = extract(paths, sources(SEVERAL), told)
            assert all(s.store.is_current(done.hashes[by_av]) for s in sources(SEVERAL))
        assert done.made + done.found == 5
    again = "1 track was decoded by another version of PyAV and extracted again."
    assert told.lines == [again, again]
    assert [source.store.fingerprint for source in sources(SEVERAL)] == prints


def test_a_swapped_file_is_hashed_again_and_nothing_is_extracted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 3)
    extract(paths, sources(SEVERAL))
    stat = paths[0].stat()
    content = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[0].write_bytes(content[0])  # the same file again
    paths[1].chmod(0o600)
    other = tmp_path / "other"
    other.write_bytes(content[0])  # another file, of the same size and time
    os.utime(other, ns=(paths[2].stat().st_mtime_ns,) * 2)
    other.replace(paths[2])
    os.utime(paths[0], ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert file_hashes.known(paths) == {}
    monkeypatch.setattr(decoding, "excerpts", None)
    done = extract(paths, sources(SEVERAL))
    assert (done.made, done.found, done.failures) == (0, 3, [])
    assert done.hashes[paths[2]] == done.hashes[paths[0]]


def test_the_best_of_two_versions_of_a_track_is_read(tmp_path: Path) -> None:
    def clip(value: float) -> list[np.ndarray]:
        return [np.full((2, 3), value, np.float32)]

    now = Origin(HEARING_REVISION, "", 1.0)
    for first, second in ((now, None), (None, now)):
        store = FeatureStore("mel", {"of": str(first)}, tmp_path)
        for number, origin in enumerate((first, second)):
            tracks = {"a": clip(number), f"b{number}": clip(9)}
            store.write_shard(tracks, dict.fromkeys(tracks, origin) if origin else {})
        store.write_shard({}, {"b0": now, "b1": now})
        again = FeatureStore("mel", {"of": str(first)}, tmp_path)
        assert again.read("a")[0][0, 0] == (0 if first else 1)
        assert all(again.is_current(name) for name in ("a", "b0", "b1"))
        assert again.origin("nowhere") == shards.FIRST
