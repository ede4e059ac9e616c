"""Lists of paths: lines, NULs, playlists."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from mgc.audio import path_lists
from mgc.audio.path_lists import listed
from mgc.errors import UsageError

LATIN = os.fsdecode(b"caf\xe9.mp3")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("l.txt", b"a.mp3\nb/c.mp3\n", ["a.mp3", "b/c.mp3"]),
        ("l.txt", b"a.mp3\r\n\r\nb.mp3", ["a.mp3", "b.mp3"]),
        ("l.txt", b"a\nb.mp3\0c.mp3\0", ["a\nb.mp3", "c.mp3"]),
        ("l.txt", b"# 1.mp3\n", ["# 1.mp3"]),
        ("l.txt", b"caf\xe9.mp3\n", [LATIN]),
        ("l.m3u8", b"\xef\xbb\xbf#EXTM3U\n#EXTINF:1,x\n../a.mp3\n", ["lists/../a.mp3"]),
        ("l.m3u", b"#EXTM3U\n/abs/a.mp3\n", ["/abs/a.mp3"]),
        ("l.m3u8", b"file:///abs/a%20b.mp3\n", ["/abs/a b.mp3"]),
        ("l.m3u", b"caf\xe9.mp3\n", [f"lists/{LATIN}"]),
    ],
)
def test_paths_are_taken_in_order(
    name: str,
    content: bytes,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lists").mkdir()
    Path("lists", name).write_bytes(content)
    assert listed(f"lists/{name}") == [Path(path) for path in expected]


def test_stdin_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x.wav\n")))
    assert listed("-") == [Path("x.wav")]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"#EXTM3U\n"])
def test_an_empty_list_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "l.m3u8"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="names no file"):
        listed(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        listed(str(tmp_path / "none.txt"))


def test_a_list_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_lists, "MAX_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="it is larger than 1 MiB"):
        listed("/dev/zero")
