"""What a search for copies keeps for a while: in memory, or in temporary files if it is much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, Self

import numpy as np

from mgc.errors import MgcError

MAX_MEMORY = 128 << 20  # bytes
AT_ONCE = 1_000  # tracks whose codes are in memory, up to 19 kB each
WAY_OUT = "Free some space there, or name another folder in TMPDIR."


class KeptNumbers:
    """Numbers of one type, first all added, then read in parts."""

    dtype: np.dtype[Any] = np.dtype("<u4")

    def __init__(self) -> None:
        self.file = SpooledTemporaryFile(MAX_MEMORY)  # noqa: SIM115 - closed at exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, numbers: np.ndarray) -> None:
        """Append numbers. Raises MgcError if the disk is full."""
        with _naming():
            self.file.write(numbers.astype(self.dtype, copy=False).tobytes())

    def read(self, begin: Any, count: Any) -> np.ndarray:
        """``count`` numbers from the ``begin``-th on."""
        with _naming():
            self.file.seek(int(begin) * self.dtype.itemsize)
            return np.frombuffer(self.file.read(int(count) * self.dtype.itemsize), self.dtype)


class KeptCodes(KeptNumbers):
    """The fingerprints of many tracks, one after another; ``lengths`` in codes."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int] = []

    def add(self, codes: np.ndarray) -> None:
        """Add the fingerprint of the next track."""
        self.write(codes)
        self.lengths.append(len(codes))

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The codes of some tracks at a time, and their lengths."""
        begin = 0
        for first in range(0, len(self.lengths), AT_ONCE):
            lengths = np.array(self.lengths[first : first + AT_ONCE])
            yield self.read(begin, lengths.sum()), lengths
            begin += lengths.sum()


class Buckets(KeptNumbers):
    """Numbers to be sorted, in ``count`` buckets of which one at a time is in memory."""

    dtype = np.dtype("<u8")

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.sizes: list[np.ndarray] = []  # (bucket,) of each piece

    def add(self, bucket: np.ndarray, numbers: np.ndarray) -> None:
        """Add numbers, each to its bucket."""
        bucket = bucket.astype(np.uint16)  # sorted by radix
        self.write(numbers[np.argsort(bucket, kind="stable")])
        self.sizes.append(np.bincount(bucket, minlength=self.count))

    def in_order(self) -> Iterator[np.ndarray]:
        """The numbers of one bucket after another, sorted; of none that is empty."""
        sizes = np.array(self.sizes, np.int64).reshape(-1, self.count)
        begins = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
        for begin, size in zip(begins.T, sizes.T, strict=True):
            if size.any():
                parts = map(self.read, begin[size > 0], size[size > 0])
                yield np.sort(np.concatenate([*parts]))


@contextmanager
def _naming() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MgcError(f"No fingerprints can be kept: {error.strerror}.", WAY_OUT) from error
