"""What is heard of a file: the same from any blocks, in little memory, and only its own faults."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mgc import datasets
from mgc.audio import decoders, decoding
from mgc.audio.audio_format import AudioFormat
from mgc.datasets import table
from mgc.datasets.quality.checking import check, judge_again
from mgc.datasets.quality.listening import hear, listen, recall
from mgc.datasets.quarantine import quarantine_file, quarantined
from mgc.errors import AudioError, MgcError
from mgc.progress import Silent
from tests.datasets.conftest import RATE, music, rows, write

MAX_BYTES = 70 << 20  # beside what a worker has at rest, some 50 MB


@contextmanager
def streamed(blocks: Iterator[np.ndarray], rate: int, channels: int) -> Iterator[object]:
    class Reader:
        format = AudioFormat(rate, channels, 0)

        def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
            return blocks

    yield Reader()


def heard_as(monkeypatch: pytest.MonkeyPatch, blocks: Iterator[np.ndarray], rate: int) -> object:
    first = next(blocks)

    def all_blocks() -> Iterator[np.ndarray]:
        yield first
        yield from blocks

    monkeypatch.setattr(decoding, "opened", lambda _: streamed(all_blocks(), rate, first.shape[1]))
    return listen(Path("streamed.wav"))


@pytest.mark.parametrize("kind", ["music", "rising", "loud", "square", "silence", "odd channels"])
def test_any_blocks_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    dice = np.random.default_rng(7)
    wave = np.stack([music(1, 6.3, 8_000), music(2, 6.3, 8_000)], axis=1)
    if kind == "rising":
        wave *= np.linspace(0.001, 1, len(wave), dtype=np.float32)[:, None]
    elif kind == "loud":  # beyond full scale
        wave *= 5
    elif kind == "square":
        wave = np.where(wave > 0, np.float32(0.7), np.float32(-0.7))
    elif kind == "silence":
        wave *= 0
    elif kind == "odd channels":
        wave = np.concatenate([wave, wave[:, :1], 0 * wave], axis=1)
    whole = heard_as(monkeypatch, iter([wave]), 8_000)
    ceiling = np.float32(0.995 * min(np.abs(wave).max(), 1.0))
    expected = np.mean(np.abs(wave) >= ceiling) if wave.any() else 0
    assert whole.ceiling == expected
    for mean in (3, 160, 1_024, 20_000):
        cuts = np.cumsum(dice.integers(1, 2 * mean, 2 * len(wave) // mean + 9))
        parts = np.split(wave, cuts[cuts < len(wave)])
        made = heard_as(monkeypatch, iter(parts), 8_000)
        for name in ("peak", "ceiling", "seconds", "samples", "silent", "rate", "channels"):
            assert getattr(made, name) == getattr(whole, name)
        assert made.loudest == pytest.approx(whole.loudest, rel=1e-12)
        assert made.quietest == pytest.approx(whole.quietest, rel=1e-12)
        np.testing.assert_array_equal(made.codes, whole.codes)


@pytest.mark.parametrize("kind", ["silence", "square", "clipped", "too loud", "nearly constant"])
def test_memory_does_not_grow_with_length(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Six minutes: what keeps every sample near the peak takes 127 MB more than at the start."""
    rate, count = 44_100, 1 << 19
    made = {
        "silence": np.zeros(count, np.float32),
        "square": np.where(np.arange(count) % 100 < 50, np.float32(0.9), np.float32(-0.9)),
        "clipped": np.clip(music(3, 20, rate)[:count] * 20, -0.9, 0.9),
        "too loud": music(3, 20, rate)[:count] * np.float32(900),
        "nearly constant": np.linspace(0.9951, 0.9999, count, dtype=np.float32),
    }[kind]
    block = np.stack([made, made], axis=1)
    blocks = 360 * rate // len(block)
    monkeypatch.setattr(decoding, "opened", lambda _: streamed(iter([block] * blocks), rate, 2))
    tracemalloc.start()
    try:
        assert listen(Path("long.wav")).seconds == blocks * len(block) / rate
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def av_song(path: Path) -> Path:
    """Music that begins after 0.1 s of silence, in a format that only PyAV reads."""
    pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")
    from tests.audio.test_ffmpeg import RATE as RATE_44
    from tests.audio.test_ffmpeg import encode

    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.concatenate([np.zeros(4_410, np.float32), music(1, 3.0, RATE_44)])
    return encode(path, np.stack([wave, wave], axis=1))


@pytest.mark.parametrize("suffix", [".m4a", ".mka", ".wma"])
def test_a_quiet_beginning_is_not_silence(tmp_path: Path, suffix: str) -> None:
    path = av_song(tmp_path / f"song{suffix}")
    heard = listen(path)
    wave, rate = decoding.decode(path)
    seconds = [wave[start : start + rate] for start in range(0, len(wave) - rate // 2, rate)]
    loudest = max(np.sqrt(np.mean(second.astype(float) ** 2)) for second in seconds)
    assert heard.loudest == pytest.approx(loudest, rel=0.02)
    assert (heard.problem, heard.silent) == ("", "")
    assert heard.decoder == decoders.pyav()


TROUBLE = {
    "permission": PermissionError(13, "Permission denied"),
    "disk": OSError(5, "Input/output error"),
    "memory": MemoryError("Unable to allocate 3 GiB"),
}


@pytest.mark.parametrize(
    ("where", "kind"),
    [(where, kind) for where in ("opened", "content_hash") for kind in TROUBLE][:-1],
)  # hashing takes no memory
def test_trouble_of_the_machine_is_not_the_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, kind: str
) -> None:
    frame = rows(1, 2, 2)
    for number, path in enumerate(frame["path"]):
        write(tmp_path / path, music(number))
    dataset = table.Dataset("x", frame, tmp_path, {})
    table.save(dataset)
    bad = dataset.paths()[1]

    def failing(name: str) -> None:
        real = getattr(decoding, name)

        def function(path: Path) -> object:
            if path != bad:
                return real(path)
            if kind == "memory":
                raise TROUBLE[kind]
            raise AudioError(f"{path}: cannot be read.") from TROUBLE[kind]

        broken.setattr(decoding, name, function)

    def each(work, todo, workers, crashed):  # in this process
        return [(path, work(path)) for path in todo]

    monkeypatch.setattr("mgc.audio.processes.each_path.each", each)
    with monkeypatch.context() as broken:
        for name in {"opened", where}:
            failing(name)
        found = check(dataset)
    assert list(found.findings["fault"]) == ["not read"]
    assert (found.left_out, found.usable) == (0, 3)
    assert not len(quarantined(dataset))
    assert bad not in recall([bad])
    again = check(table.load("x"))
    assert not len(again.findings)
    assert again.usable == 4


def test_without_pyav_every_command_says_what_to_install(tmp_path: Path, home: Path) -> None:
    for genre in ("a", "b"):
        for number in range(3):
            seed = number + 10 * (genre == "b")
            write(tmp_path / "ds" / genre / f"{number}.wav", music(seed, 3.0))
    song = av_song(tmp_path / "ds/a/song.m4a")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/sitecustomize.py").write_text("import sys; sys.modules['av'] = None\n")

    def mgc(*words: object, without: bool = True) -> str:
        hidden = [str(tmp_path / "hidden")] * without
        paths = os.pathsep.join([*hidden, os.environ.get("PYTHONPATH", ""), os.getcwd()])
        made = subprocess.run(
            [sys.executable, "-m", "mgc", *map(str, words)],
            env={**os.environ, "PYTHONPATH": paths, "MGC_HOME": str(home), "COLUMNS": "400"},
            capture_output=True,
            text=True,
        )
        return made.stdout + made.stderr

    datasets.add("ds", tmp_path / "ds")
    checked = mgc("data", "check", "ds")
    fitted = mgc("fit", "--extractor", "mfcc", "--data", "ds")
    predicted = mgc("predict", song, tmp_path / "ds/a/0.wav", "--data", "ds")
    for said in (checked, fitted, predicted):
        assert "song.m4a: " in said
        assert "pip install 'mgc-music[av]'" in said
    assert "6 of 7 tracks can be used" in checked
    assert "7 of 7 tracks can be used" in mgc("data", "check", "ds", without=False)


def test_a_new_decoder_hears_only_its_own_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song, wav = av_song(tmp_path / "a.m4a"), write(tmp_path / "b.wav", music(1))
    broken = tmp_path / "c.wav"
    broken.write_bytes(b"no music " * 99)
    paths = [song, wav, broken]
    hear(paths, workers=1)
    assert set(recall(paths)) == set(paths)
    monkeypatch.setattr(decoders, "pyav", lambda: "PyAV 99, FFmpeg 9")
    assert set(recall(paths)) == {wav}


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_verdicts_of_an_earlier_version_are_made_again(tmp_path: Path) -> None:
    frame = rows(1, 3, 2)
    dataset = table.Dataset("x", frame, tmp_path, {})
    table.save(dataset)
    ids, paths = list(frame["track_id"]), dataset.paths()
    for number, path in enumerate(paths):
        write(path, music(number, 1.5 if number == 1 else 3.0))
    write(paths[2], np.zeros(3 * RATE, np.float32))
    quarantine_file(dataset).write_text(
        "track_id,fault,detail\n"
        f"{ids[0]},silent,its loudest second is at digital zero\n"
        f"{ids[1]},too short,1.50 s\n"
        f"{ids[2]},silent,its loudest second is at digital zero\n"
        f"{ids[3]},by hand,talks\n"
        f"{ids[4]},too short,0.70 s\n"
    )
    told = Told()
    judge_again(dataset, told)
    left = quarantined(dataset).set_index("track_id")["detail"].to_dict()
    assert left == {ids[1]: "1.50 s", ids[2]: "is digital silence", ids[3]: "talks"}
    assert told.lines == ["2 of 4 tracks that an earlier version's check left out can be used."]
    judge_again(dataset, told)
    assert len(told.lines) == 1


def test_a_check_that_could_not_be_kept_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.wav", music(1))
    dataset = table.Dataset("x", rows(1, 1, 1).assign(path=["a.wav"]), tmp_path, {})
    table.save(dataset)
    monkeypatch.setattr(os, "access", lambda path, mode: path != dataset.folder)
    monkeypatch.setattr("mgc.datasets.quality.checking.hear", None)
    with pytest.raises(MgcError, match=r"Cannot write in .*x") as caught:
        check(dataset)
    assert "--home" in caught.value.hint
