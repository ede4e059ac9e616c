"""Audio files as bytes: whole, to look into, and in pieces, to read them as if nothing else were
in between."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mgc.audio.given import AudioBytes

#: A whole file's bytes; slices of either are `bytes`.
Content = mmap.mmap | bytes
#: New bytes, or (first, end) of the bytes to take from a file.
Piece = bytes | tuple[int, int]


@contextmanager
def content(path: Path | AudioBytes) -> Iterator[Content]:
    """A file's bytes, not copied. Raises OSError and ValueError."""
    if isinstance(path, AudioBytes):
        yield path.content
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        yield whole


class ByteRanges(io.RawIOBase):
    """Pieces one after the other, as a seekable file to read."""

    def __init__(self, source: Path | AudioBytes, pieces: Sequence[Piece]) -> None:
        self.source: BinaryIO = (
            source.open() if isinstance(source, AudioBytes) else open(source, "rb")  # noqa: SIM115
        )
        self.pieces = [piece if isinstance(piece, bytes) else range(*piece) for piece in pieces]
        self.size = sum(map(len, self.pieces))
        self.at = 0

    def close(self) -> None:
        """Close the source too."""
        self.source.close()
        super().close()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position in the joined pieces."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as there are, across pieces."""
        left = self.size - self.at if size is None or size < 0 else size
        parts, skip = [], self.at
        for piece in self.pieces:
            if skip < len(piece) and left > 0:
                wanted = piece[skip : skip + left]
                if isinstance(wanted, range):
                    self.source.seek(wanted.start)
                    wanted = self.source.read(len(wanted))
                parts.append(wanted)
                left -= len(wanted)
            skip = max(0, skip - len(piece))
        self.at += sum(map(len, parts))
        return b"".join(parts)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See `io.RawIOBase.readinto`."""
        read = self.read(len(buffer))
        buffer[: len(read)] = read
        return len(read)
