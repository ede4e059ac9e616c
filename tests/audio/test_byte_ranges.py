"""Pieces of a file, read as if nothing else were in between."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from mgc.audio.byte_ranges import ByteRanges
from mgc.audio.given import AudioBytes


def test_pieces_read_like_the_bytes_joined(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.bytes(1_000)
    path = tmp_path / "a"
    path.write_bytes(whole)
    pieces = [b"head", (10, 30), (30, 30), (500, 1_000), b"", b"tail", (0, 7)]
    joined = b"head" + whole[10:30] + whole[500:1_000] + b"tail" + whole[:7]
    for source in (path, AudioBytes(whole)):
        with ByteRanges(source, pieces) as made:
            assert made.read() == joined
            expected = io.BytesIO(joined)
            for _ in range(200):
                at, count = int(rng.integers(0, len(joined) + 20)), int(rng.integers(0, 300))
                assert made.seek(at) == expected.seek(at)
                assert made.read(count) == expected.read(count)
                assert made.tell() == expected.tell()
            assert made.seek(-5, os.SEEK_END) == len(joined) - 5
            assert made.read(99) == joined[-5:]
