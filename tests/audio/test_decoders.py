"""Failures that are the file's, and those of the machine."""

from __future__ import annotations

import builtins
import errno
import sys
from pathlib import Path

import pytest
import soundfile

from mgc.audio import decoders, decoding
from mgc.errors import AudioError

av = pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")


def libsndfile(code: int, words: str = "") -> Exception:
    error = soundfile.LibsndfileError(code)
    error.error_string if not words else setattr(error, "prefix", words)
    return error


OUTSIDE = {
    "no permission": PermissionError(errno.EACCES, "Permission denied"),
    "a broken disk": OSError(errno.EIO, "Input/output error"),
    "too many open files": OSError(errno.EMFILE, "Too many open files"),
    "no memory": MemoryError("Unable to allocate 7 TiB"),
    "libsndfile's system error": libsndfile(2),
    "libsndfile without memory": libsndfile(3, "Internal malloc () failed: "),
    "FFmpeg without permission": av.error.PermissionError(errno.EACCES, "Permission denied"),
    "FFmpeg without memory": av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory"),
}
THE_FILES = {
    "libsndfile knows no such format": libsndfile(1),
    "libsndfile finds it malformed": libsndfile(3),
    "FFmpeg finds invalid data": av.error.InvalidDataError(errno.EINVAL, "Invalid data"),
    "FFmpeg gives up reading": av.error.OSError(errno.EIO, "Input/output error"),
    "a decoder's own error": ValueError("negative dimensions"),
}


def caused_by(error: BaseException) -> AudioError:
    made = AudioError("a.mp3: does not decode.")
    made.__cause__ = RuntimeError("in between")
    made.__cause__.__cause__ = error
    return made


@pytest.mark.parametrize("kind", OUTSIDE)
def test_the_machine_s(kind: str) -> None:
    assert decoders.is_outside(OUTSIDE[kind])
    assert decoders.is_outside(caused_by(OUTSIDE[kind]))


@pytest.mark.parametrize("kind", THE_FILES)
def test_the_file_s(kind: str) -> None:
    assert not decoders.is_outside(caused_by(THE_FILES[kind]))


@pytest.mark.parametrize("name", ["text.mp3", "noise.m4a", "noise.flac"])
def test_a_file_that_is_no_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"no music, but some words. " * 400)
    with pytest.raises(AudioError) as caught:
        decoding.decode(path)
    assert not decoders.is_outside(caught.value)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError) as caught:
        decoding.decode(path)
    assert decoders.is_outside(caught.value)
    assert "pip install 'mgc-music[av]'" in caught.value.reason


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decoders.pyav().startswith(f"PyAV {av.__version__}, FFmpeg ")

    def broken(name: str, *rest: object) -> object:
        if name == "av":
            raise ImportError("libavcodec.so.62: cannot open shared object file")
        return real(name, *rest)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", broken)
    assert decoders.pyav() == ""
    monkeypatch.setitem(sys.modules, "av", None)
    assert decoders.pyav() == ""


def test_what_is_noted() -> None:
    decoders.noted().pyav = "lost"
    with decoders.noting() as outer:
        with decoders.noting() as inner:
            decoders.noted().seconds = 2.0
        decoders.noted().pyav = "PyAV 1"
    assert (outer, inner) == (decoders.Hearing("PyAV 1"), decoders.Hearing("", 2.0))
