"""Lists of paths, one per line or NUL, and M3U playlists."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from mgc.errors import UsageError

PLAYLISTS = (".m3u", ".m3u8")
MAX_BYTES = 256 << 20  # of a list: a million long paths
BOM = b"\xef\xbb\xbf"


def listed(source: str) -> list[Path]:
    """The paths that a file names, or stdin for ``-``, in its order.

    A NUL in it means that NULs separate the paths, else it is one per line. Those of a playlist
    are relative to its folder, others to the current one. They need not exist.

    Raises UsageError if the list cannot be read or names nothing.
    """
    try:
        with nullcontext(sys.stdin.buffer) if source == "-" else open(source, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 20} MiB")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The list {source!r} cannot be read ({getattr(error, 'strerror', error)}).",
            "Give a file with a path per line, or - for stdin.",
        ) from error
    playlist = Path(source).suffix.lower() in PLAYLISTS or content.startswith((b"#EXTM3U", BOM))
    content = content.removeprefix(BOM)
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    lines = [line for line in lines if line.strip() and not (playlist and line.startswith(b"#"))]
    if not lines:
        raise UsageError(f"The list {source!r} names no file.", "It needs a path per line.")
    base = Path(source).parent if playlist and source != "-" else Path()
    return [base / os.fsdecode(_local(line)) for line in lines]


def _local(line: bytes) -> bytes:
    """A path, also from a file: URL, which some players write."""
    if not line.startswith(b"file://"):
        return line
    return unquote_to_bytes(urlsplit(os.fsdecode(line)).path)
