"""Files that arrive while a folder is watched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mgc_library import watch

from . import library


def test_files_may_arrive_in_an_empty_folder(tmp_path: Path) -> None:
    made = iter([lambda: library.write(tmp_path / "0.wav", library.sound("calm", 1)), str, str])
    assert list(watch.arrivals([tmp_path], lambda: next(made)())) == [[tmp_path / "0.wav"]]


def test_a_folder_to_watch_must_exist(tmp_path: Path, run: str, mgc: Callable) -> None:
    said = mgc("tag", tmp_path / "gone", "--run", run, "--write", "--watch")
    assert (said.code, "does not exist" in said.err) == (2, True)


def test_files_that_arrive_are_taken_once_they_are_whole(tmp_path: Path) -> None:
    first = library.write(tmp_path / "0.wav", library.sound("calm", 1))
    half = tmp_path / "1.wav"
    steps = iter(range(8))

    def wait() -> None:
        step = next(steps)
        if step in (1, 2):  # it grows
            half.write_bytes(first.read_bytes()[: 40_000 * step])

    assert list(watch.arrivals([tmp_path], wait)) == [[first], [half]]
