"""Two processes that extract the same features of the same files: the work is done once."""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.processes import locks
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Silent

FORK = multiprocessing.get_context("fork")


class _Told(Silent):
    """Calls ``hears`` with what is said."""

    def __init__(self, hears: Any) -> None:
        self.say = hears


class _Slow(Silent):
    """Waits for an event in the middle of the work."""

    def __init__(self, begun: Any, go_on: Any) -> None:
        self.begun, self.go_on = begun, go_on

    @contextmanager
    def task(self, *_: object) -> Any:
        self.begun.set()
        self.go_on.wait()
        with super().task("", None, "") as task:
            yield task


def _sources(*names: str) -> list[ExtractorSpec]:
    return [ExtractorSpec(name, policy=ClipPolicy(1.0, 1)) for name in names]


def _first(paths: list[Path], begun: Any, go_on: Any) -> None:
    extract(paths, _sources("mel", "texture"), _Slow(begun, go_on), workers=1)


@pytest.fixture
def busy(mgc_home: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files, and the event that lets another process, in the middle of them, go on."""
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    begun, go_on, paths = FORK.Event(), FORK.Event(), sorted(music.rglob("*.wav"))
    other = FORK.Process(target=_first, args=(paths, begun, go_on))
    other.start()
    begun.wait()
    yield paths, go_on
    go_on.set()
    other.join()


def test_the_second_waits_says_so_and_finds_all(busy: Any) -> None:
    paths, go_on = busy
    said: list[str] = []

    def hears(line: str) -> None:
        said.append(line)
        go_on.set()

    made = extract(paths, _sources("mel", "texture"), _Told(hears), workers=1)
    assert said == ["Waiting for another process that is at work on mel features of these files."]
    assert (made.made, made.found, made.failures) == (0, len(paths), [])


def test_other_features_and_other_files_are_not_waited_for(busy: Any) -> None:
    """Nor is the texture, which every fit takes along."""
    paths, _ = busy
    assert extract(paths, _sources("mfcc", "texture"), workers=1).made == len(paths)
    assert extract(paths[1:], _sources("mel"), workers=1).made == len(paths) - 1


def test_a_home_without_locks(
    mgc_home: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mgc_home / "claims").write_text("a file")
    paths = sorted(music.rglob("*.wav"))
    assert extract(paths, _sources("mel"), workers=1).made == len(paths)
