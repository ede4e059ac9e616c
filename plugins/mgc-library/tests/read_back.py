"""The genre of a file as other programs read it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
from tinytag import TinyTag

FFPROBE = shutil.which("ffprobe")


def readers() -> dict[str, object]:
    """Name → function of a path. Without ffprobe, its library is asked (through PyAV)."""
    probe = {"ffprobe": by_ffprobe} if FFPROBE else {"libavformat": by_libavformat}
    return {**probe, "tinytag": by_tinytag}


def by_ffprobe(path: Path) -> str:
    words = [FFPROBE, "-v", "error", "-of", "json", "-show_format", "-show_streams", path]
    found = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return _genre(each.get("tags", {}) for each in [found["format"], *found["streams"]])


def by_libavformat(path: Path) -> str:
    with av.open(str(path)) as file:
        return _genre([file.metadata, *(stream.metadata for stream in file.streams)])


def by_tinytag(path: Path) -> str:
    return TinyTag.get(path).genre or ""


def _genre(tags: Iterator[Mapping[str, str]] | list[Mapping[str, str]]) -> str:
    """Of the first that has one; names are in either case."""
    lower = ({name.lower(): value for name, value in each.items()} for each in tags)
    return next((each["genre"] for each in lower if "genre" in each), "")
