"""Which files of a folder are audio."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mgc.errors import UsageError

LIBSNDFILE = (".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus", ".au", ".snd", ".aif", ".aiff")
FFMPEG = (".m4a", ".mp4", ".aac", ".wma", ".mka", ".webm")
#: What `mgc data add` and `mgc predict` recognise as music in a folder.
SUFFIXES = frozenset({*LIBSNDFILE, ".aifc", *FFMPEG})


def collect(paths: Sequence[Path]) -> list[Path]:
    """The audio files among these files and folders; folders are searched recursively.

    Raises UsageError if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += audio_files(path)
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path} does not exist.", "Check the path.")
    if not found:
        raise UsageError(
            f"There is no audio in {', '.join(map(str, paths))}.",
            "mgc reads mp3, wav, flac, ogg and more.",
        )
    return list(dict.fromkeys(found))


def audio_files(path: Path) -> list[Path]:
    """Every file below ``path`` with the suffix of an audio format, in a stable order."""
    found, seen = [], {os.path.realpath(path)}
    for folder, inner, files in os.walk(path, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        inner[:] = [name for name in inner if _first_visit(Path(folder, name), seen)]
        found += [
            Path(folder, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return found


def _first_visit(folder: Path, seen: set[str]) -> bool:
    """Follow links safely: they may form a cycle, or lead to one folder twice."""
    real = os.path.realpath(folder)
    if real in seen:
        return False
    seen.add(real)
    return True
