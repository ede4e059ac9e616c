"""Extraction in one process: what is made, what is there, what fails and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.sound_hash import sound_hash
from mgc.errors import AudioError, MgcError, UsageError
from mgc.features.extraction import Extraction, extract, features_of, ray_node, shard_writer
from mgc.features.extraction.jobs import ExtractionJob, ExtractionPlan
from mgc.features.extraction.remote_sources import described
from mgc.features.extraction.tasks import features_result
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store import backends
from mgc.progress import Silent
from tests.features.extraction.hostile import HUGE, NAN, RAISE, hostile, told
from tests.sounds import album, music, write

__all__ = ["hostile"]
POLICY = ClipPolicy(1.0, 3)


def sources(*names: str, policy: ClipPolicy = POLICY) -> list[ExtractorSpec]:
    return [ExtractorSpec(name, policy=policy) for name in names or ("mel", "mfcc", "chroma")]


def shards(where: list[ExtractorSpec]) -> dict[str, bytes]:
    return {
        f"{source.name}/{path.name}": path.read_bytes()
        for source in where
        for path in sorted(source.store.folder.iterdir())
    }


@pytest.fixture(autouse=True)
def _home(mgc_home: Path) -> None:
    pass


def test_features_are_librosa_s(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", music(2.5, 44_100, channels=2), 44_100)
    made = features_of(path, sources("mel", "chroma"))
    assert [len(clips) for clips in made.values()] == [2, 2]
    for number, start in enumerate((0.0, decoding.probe(path).seconds - 1.0)):
        wave = decoding.resample(decoding.decode(path, start=start, seconds=1.0)[0], 44_100, 22_050)
        mel = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=22_050))
        np.testing.assert_allclose(made["mel"][number], mel, atol=0.04)  # float16 at -100 dB
        assert made["mel"][number].dtype == np.float16
        chroma = librosa.feature.chroma_stft(y=wave, sr=22_050)
        np.testing.assert_allclose(made["chroma"][number], chroma, atol=6e-4)


def test_copies_of_what_is_no_music_are_each_named(tmp_path: Path) -> None:
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path in paths:
        path.write_text("no music")
    said = [failure.reason for failure in extract(paths, sources()).failures]
    assert said == [f"{path}: {said[0].partition(': ')[2]}" for path in paths]


def test_two_runs(tmp_path: Path) -> None:
    paths = album(tmp_path, 5)
    first = extract(paths, sources())
    assert (first.made, first.found, first.failures) == (5, 0, [])
    assert first.hashes == {path: sound_hash(path) for path in paths}
    before = shards(sources())
    second = extract(paths, sources())
    assert (second.made, second.found, second.failures) == (0, 5, [])
    assert second.hashes == first.hashes
    assert shards(sources()) == before


def test_what_is_stored_is_what_features_of_gives(tmp_path: Path) -> None:
    paths = album(tmp_path, 3, seconds=2.2)
    made = extract(paths, sources())
    for path in paths:
        direct = features_of(path, sources())
        for source in sources():
            stored = source.store.read(made.hashes[path])
            for one, other in zip(stored, direct[source.name], strict=True):
                np.testing.assert_array_equal(one, other)


def test_only_what_is_missing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = album(tmp_path, 4)
    extract(paths[:2], sources("mel"))
    done = extract(paths, sources("mel", "mfcc"))
    assert (done.made, done.found) == (4, 0)
    mel, mfcc = sources("mel", "mfcc")
    assert len(mel.store.rows) == len(mfcc.store.rows) == 4
    monkeypatch.setattr(decoding, "excerpts", None)  # nothing may be decoded any more
    assert extract(paths, sources("mel", "mfcc")).found == 4


def test_a_moved_file_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path / "here", 3)
    extract(paths, sources())
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.setattr(decoding, "excerpts", None)
    moved = extract([tmp_path / "there" / path.name for path in paths], sources())
    assert (moved.made, moved.found, moved.failures) == (0, 3, [])


def test_the_same_content_twice_is_made_once(tmp_path: Path) -> None:
    paths = album(tmp_path, 3)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(paths[0].read_bytes())
    done = extract([*paths, copy, paths[1]], sources("mel"))
    assert (done.made, done.found) == (3, 2)
    assert done.hashes[copy] == done.hashes[paths[0]]
    assert len(sources("mel")[0].store.rows) == 3


def test_a_copy_of_a_file_that_fails_fails_too(tmp_path: Path) -> None:
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / name).write_text("no music " * 500)
    done = extract([tmp_path / "a.mp3", tmp_path / "b.mp3"], sources("mel"))
    assert [failure.path.name for failure in done.failures] == ["a.mp3", "b.mp3"]
    assert all("does not decode" in failure.reason for failure in done.failures)


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    path = album(tmp_path, 1)[0]
    both = [ExtractorSpec("mel", {"n_mels": n}, POLICY) for n in (32, 64)]
    sha = extract([path], both).hashes[path]
    assert [source.store.read(sha)[0].shape[0] for source in both] == [32, 64]


def test_the_same_source_twice_is_one(tmp_path: Path) -> None:
    assert extract(album(tmp_path, 2), [*sources("mel"), *sources("mel")]).made == 2


def test_two_policies_in_one_run(tmp_path: Path) -> None:
    path = album(tmp_path, 1, seconds=3.0)[0]
    both = [ExtractorSpec("mel", policy=policy) for policy in (POLICY, ClipPolicy(0.5, 1))]
    sha = extract([path], both).hashes[path]
    assert [len(source.store.read(sha)) for source in both] == [3, 1]


def test_bad_files_are_listed_in_order_and_the_rest_is_done(tmp_path: Path) -> None:
    good = album(tmp_path, 3)
    absent, folder = tmp_path / "absent.mp3", tmp_path / "folder.mp3"
    folder.mkdir()
    empty, text, short = tmp_path / "empty.ogg", tmp_path / "text.mp3", tmp_path / "short.wav"
    empty.touch()
    text.write_text("words " * 100)
    soundfile.write(short, music(0.1), 22_050)
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(22_050, np.float32), 22_050)
    nan = tmp_path / "nan.wav"
    soundfile.write(nan, np.full(22_050, np.nan, np.float32), 22_050, subtype="FLOAT")
    bad = {
        absent: "No such file",
        folder: "is a folder",
        empty: "is empty",
        text: "does not decode",
        short: r"too short \(0.10 s of at least 0.25 s\)",
        nan: "not numbers",
    }
    done = extract(
        [absent, good[0], folder, empty, good[1], text, short, silent, nan, good[2]], sources()
    )
    assert [failure.path for failure in done.failures] == list(bad)
    for failure, reason in zip(done.failures, bad.values(), strict=True):
        assert failure.reason.startswith(f"{failure.path}: ")
        assert __import__("re").search(reason, failure.reason)
    assert done.made == 4  # silence is sound too
    for source in sources():
        assert set(source.store.rows) == {done.hashes[path] for path in [*good, silent]}


def test_the_shortest_clips_that_the_policy_takes_are_heard(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0, 22_050, 0), 22_050)
    [rows] = features_of(path, [ExtractorSpec("mel", {}, ClipPolicy(0.25, 3))]).values()
    assert [row.shape[1] for row in rows] == [1 + 5_512 // 512] * 3


def test_an_extractor_that_fails_is_named(tmp_path: Path, hostile: str) -> None:
    paths = [
        told(tmp_path / "fine.wav", 0.05),
        told(tmp_path / "raise.wav", RAISE),
        told(tmp_path / "nan.wav", NAN),
        told(tmp_path / "huge.wav", HUGE),
    ]
    [source] = sources(hostile)
    done = extract(paths, [source])
    assert done.made == 2
    assert [failure.path.name for failure in done.failures] == ["raise.wav", "nan.wav"]
    assert "'hostile' failed (ZeroDivisionError: as told)" in done.failures[0].reason
    assert "not finite" in done.failures[1].reason
    assert source.store.read(done.hashes[paths[0]])[0].dtype == np.float16
    assert source.store.read(done.hashes[paths[3]])[0].dtype == np.float32  # 1e6 is no float16


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 3)
    excerpts = decoding.excerpts

    def changing(path: Path, *rest: object) -> object:
        if path == paths[1]:
            os.utime(path, ns=(1, 1))
        return excerpts(path, *rest)

    monkeypatch.setattr(decoding, "excerpts", changing)
    done = extract(paths, sources("mel"))
    assert [(f.path, "changed while" in f.reason) for f in done.failures] == [(paths[1], True)]
    assert extract(paths, sources("mel")).made == 1


def test_a_file_that_vanishes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 3)

    def vanishing(path: Path) -> str:
        sha = sound_hash(path)
        if path == paths[1]:
            path.unlink()
        return sha

    monkeypatch.setattr("mgc.features.extraction.jobs.sound_hash", vanishing)
    done = extract(paths, sources("mel"))
    assert done.made == 2
    assert "No such file" in done.failures[0].reason


def test_whatever_a_decoder_raises_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 2)

    def broken(path: Path, *rest: object) -> object:
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr(decoding, "excerpts", broken)
    done = extract(paths, sources("mel"))
    assert len(done.failures) == 2
    assert "7 TiB" in done.failures[0].reason


def test_shards_follow_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_writer, "SHARD_TRACKS", 4)
    paths = album(tmp_path, 10)
    made = extract(paths, sources("mel"))
    [mel] = sources("mel")
    by_shard: dict[Path, set[str]] = {}
    for sha, rows in mel.store.rows.items():
        by_shard.setdefault(rows[0].shard, set()).add(sha)
    expected = [{made.hashes[path] for path in paths[n : n + 4]} for n in (0, 4, 8)]
    assert sorted(map(sorted, by_shard.values())) == sorted(map(sorted, expected))


def test_a_full_shard_is_closed_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = album(tmp_path, 6)
    monkeypatch.setattr(backends.Folder, "shard_bytes", (0, 20_000))  # two tracks of mel
    extract(paths, sources("mel", "chroma"))
    mel, chroma = sources("mel", "chroma")
    assert len({rows[0].shard for rows in mel.store.rows.values()}) == 3
    assert len({rows[0].shard for rows in chroma.store.rows.values()}) == 1
    assert len(mel.store.rows) == 6


def on_bucket(where: list[ExtractorSpec]) -> dict[tuple[str, str], bytes]:
    """The shards of sources on an object store, by source and name."""
    found = {}
    for source in where:
        place = source.store.place
        assert isinstance(place, backends.ObjectStore)
        for name in place.stamps():
            found[source.name, name] = place.files.cat_file(f"{place.prefix}/{name}")
    return found


def test_shards_on_an_object_store_are_of_many_blocks_and_the_same_when_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each extractor's shards end when they are large enough, at the end of a block of two files;
    a full one ends at once."""
    monkeypatch.setattr(shard_writer, "SHARD_TRACKS", 2)
    limits = (30_000, 60_000)
    monkeypatch.setattr(backends.ObjectStore, "shard_bytes", limits)
    paths = album(tmp_path / "music", 25)
    monkeypatch.setenv("MGC_FEATURES", f"memory://whole/{tmp_path.name}")
    extract(paths, sources("mel", "chroma"), workers=1)
    expected = on_bucket(sources("mel", "chroma"))
    sizes = [len(content) for (name, _), content in expected.items() if name == "mel"]
    assert len(sizes) == 7  # a block of mel is 22 kB, so each but the last has two
    assert limits[0] < max(sizes) < limits[1]
    assert sum(name == "chroma" for name, _ in expected) == 1
    for stop in (9, 16, 21):  # in the middle of a shard of each
        monkeypatch.setenv("MGC_FEATURES", f"memory://stopped-{stop}/{tmp_path.name}")
        with monkeypatch.context() as stopping:
            real = decoding.excerpts

            def excerpts(path: Path, *rest: Any, last: Path = paths[stop], real: Any = real) -> Any:
                if path == last:
                    raise KeyboardInterrupt
                return real(path, *rest)

            stopping.setattr(decoding, "excerpts", excerpts)
            with pytest.raises(KeyboardInterrupt):
                extract(paths, sources("mel", "chroma"), workers=1)
        there = on_bucket(sources("mel", "chroma"))
        assert 0 < len(there) < len(expected)
        assert there.items() <= expected.items()
        extract(paths, sources("mel", "chroma"), workers=1)
        assert on_bucket(sources("mel", "chroma")) == expected


@pytest.mark.parametrize("root", ["memory://held", "/a folder"])
def test_no_more_than_64_mib_of_an_extractor_wait_for_their_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    monkeypatch.setenv("MGC_FEATURES", root)
    [mel] = sources("mel")
    sizes: list[int] = []
    put = {"begin": lambda: None, "write_shard": lambda rows, *_: sizes.append(len(rows))}
    for name, instead in put.items():
        monkeypatch.setattr(mel.store, name, instead)
    clip = np.zeros((1, 1_500_000), np.float16)  # 3 MB
    keeping = shard_writer.ShardWriter([mel], Silent(), can_remember=False)
    for number in range(64):
        job = ExtractionJob(number, tmp_path, audio_hash=f"{number:064x}", wanted=(0,))
        keeping.add(job, features_result([[clip]], 30.0, [1, "", 30.0]))
        assert keeping.bytes[0] <= 64 << 20
    keeping.finish()
    # 22 files are the last below 64 MiB, and one more; in a folder, a block of 32 files ends, too.
    assert sizes == ([23, 23, 18] if "://" in root else [23, 9, 23, 9])


def test_a_node_keeps_nothing_of_what_it_puts_into_an_object_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk would fill: a million tracks have 0.3 TB of mel."""
    root = f"memory://node/{tmp_path.name}"
    monkeypatch.setenv("MGC_FEATURES", root)
    paths = album(tmp_path / "music", 3)
    todo = list(ExtractionPlan(paths, sources("mel")).jobs())
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "node"))
    said = ray_node.do_shard(described(sources("mel"), "cpu"), root, "", todo)
    assert [answer["parts"] for answer in said["answers"]] == [[1]] * 3
    assert len(on_bucket(sources("mel"))) == 1
    assert not list((tmp_path / "node").rglob("*.safetensors"))
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "here"))
    extract(album(tmp_path / "more", 1, seconds=2.0), sources("mel"), workers=1)
    assert len(list((tmp_path / "here").rglob("*.safetensors"))) == 1  # for the fit that follows


def test_an_object_store_that_cannot_be_written_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise PermissionError("access denied")

    paths = album(tmp_path, 2)
    monkeypatch.setenv("MGC_FEATURES", f"memory://read-only/{tmp_path.name}")
    monkeypatch.setattr(type(sources("mel")[0].store.place.files), "pipe_file", refuse)  # type: ignore[attr-defined]
    monkeypatch.setattr(decoding, "excerpts", None)
    with pytest.raises(MgcError, match="access denied"):
        extract(paths, sources("mel"), workers=1)


def test_a_folder_that_cannot_be_written_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 2)
    (tmp_path / "unplugged").symlink_to("a disk that is not there")
    monkeypatch.setenv("MGC_FEATURES", str(tmp_path / "unplugged"))
    monkeypatch.setattr(decoding, "excerpts", None)
    with pytest.raises(MgcError, match=r"Cannot write .*unplugged"):
        extract(paths, sources("mel"), workers=1)


def test_a_full_disk_stops_the_run_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_writer, "SHARD_TRACKS", 2)
    paths = album(tmp_path, 6)
    fsync, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 3:  # identity, two shards
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MgcError, match="No space left") as caught:
        extract(paths, sources("mel"))
    assert "Free some space" in caught.value.hint
    monkeypatch.setattr(os, "fsync", fsync)
    done = extract(paths, sources("mel"))
    assert (done.made, done.found) == (2, 4)


def test_progress_counts_every_file(tmp_path: Path) -> None:
    class Told:
        def __init__(self) -> None:
            self.total, self.count = 0, 0

        def task(self, what: str, total: int, unit: str) -> Told:
            assert what == "extracting mel + chroma"
            self.total = total
            return self

        def __enter__(self) -> Told:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def advance(self, count: int = 1) -> None:
            self.count += count

    paths = [*album(tmp_path, 3), tmp_path / "absent.wav"]
    told_of = Told()
    extract(paths, sources("mel", "chroma"), told_of)
    assert (told_of.total, told_of.count) == (4, 4)


def test_no_files() -> None:
    assert extract([], sources("mel")) == Extraction()


@pytest.mark.parametrize("bad", [{"on": "mars"}, {"workers": -1}])
def test_bad_requests(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        extract(album(tmp_path, 1), sources("mel"), **bad)


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    """An mp3 cut off after its header said how long it is: what is there is heard, evenly."""
    path = write(tmp_path / "a.mp3", music(8.0, 44_100), 44_100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert decoding.probe(path).seconds == pytest.approx(3.95, abs=0.1)
    waves, rate = decoding.excerpts(path, POLICY.starts, POLICY.seconds)
    assert [len(wave) for wave in waves] == [rate] * 3
    there = len(decoding.decode(path)[0]) / rate
    assert there < 4.5
    last, _ = decoding.decode(path, start=there - 1.0, seconds=1.0)
    np.testing.assert_allclose(waves[-1][: len(last)], last[: len(waves[-1])], atol=1e-3)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    album(tmp_path, 1)[0].rename(path)
    assert extract([path], sources("mel")).made == 1


def test_a_null_byte_in_a_name(tmp_path: Path) -> None:
    done = extract([Path("a\0b.wav")], sources("mel"))
    assert "is not a valid file name" in done.failures[0].reason


def test_features_of_says_why_not(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        features_of(tmp_path / "absent.mp3", sources("mel"))
