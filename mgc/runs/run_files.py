"""The files of a run folder, checked before any is read: the run may be a stranger's.

A link could make mgc read, copy or fill the disk from what is not part of the run, and a pipe would
wait forever: a folder that holds anything but files and folders is refused. A hard link cannot be
told from a file (ensembles at home share theirs); files of a run outside the home are therefore
copied, never linked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mgc.errors import MgcError, UsageError, unknown
from mgc.home import model_folder

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FILES = 100_000
MAX_RATIO = 100  # of bytes read to bytes in the file; Snappy packs at most 21 to 1
TEXT = ("string", "large_string", "binary", "large_binary")
MAX_DEPTH = 4  # members/NAME/fold-0/model.safetensors


@contextmanager
def new_folder(home: Path, prefix: str) -> Iterator[Path]:
    """The first free ``<prefix>-<number>``; creating the folder claims it, even against another
    process. It is removed if the block fails, unless something has been written there."""
    home.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = home / f"{prefix}-{number}"
        with suppress(FileExistsError):
            folder.mkdir()
            break
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def run_files(folder: Path) -> list[Path]:
    """The files of a run folder, sorted; those deeper than `MAX_DEPTH` are not the run's.

    Raises MgcError that names a link, pipe, device or socket, or a folder that cannot be read, or
    says that there is too much.
    """
    found = []
    try:
        for number, entry in enumerate(_inside(folder, 1)):
            if number == MAX_FILES:
                raise _refused(folder, f"it holds more than {MAX_FILES:,} files and folders")
            if entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path))
            elif not entry.is_dir(follow_symlinks=False):
                noun = "a link" if entry.is_symlink() else "not a regular file"
                raise _refused(folder, f"{Path(entry.path).relative_to(folder)} is {noun}")
    except OSError as error:
        raise _refused(folder, f"{error.strerror}: {error.filename}") from error
    return sorted(found)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of a run: those of the ``columns`` that it has, or all.

    Raises ValueError if it is damaged, or claims more rows than it has bytes or more content than
    compression can hide in them: reading it would take the memory. Text is therefore read as
    Parquet stores it, each value once, and measured before it is repeated.
    """
    import pyarrow as pa
    from pyarrow import parquet

    size = path.stat().st_size
    try:
        with parquet.ParquetFile(path) as file:
            facts, schema = file.metadata, file.schema_arrow
        if odd := [f.name for f in schema if pa.types.is_nested(f.type)]:
            raise ValueError(f"{path.name}: the column {odd[0]!r:.40} is nested")
        groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
        rows = max(facts.num_rows, sum(group.num_rows for group in groups))
        unpacked = sum(group.total_byte_size for group in groups)
        if rows <= size and unpacked <= MAX_RATIO * size:
            text = [f.name for f in schema if str(f.type) in TEXT]
            with parquet.ParquetFile(path, read_dictionary=text) as file:
                table = file.read(columns)
            unpacked = sum(map(_text_bytes, table.columns))
            if unpacked <= MAX_RATIO * size:
                plain = [schema.field(name) for name in table.column_names]
                return table.cast(pa.schema(plain, schema.metadata))
    except (pa.ArrowException, MemoryError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    raise ValueError(f"{path.name} claims {rows:,} rows and {unpacked:,} bytes, but has {size:,}")


def _text_bytes(column: pa.ChunkedArray) -> int:
    """The bytes of a column's text, if each row has its own."""
    import pyarrow as pa
    from pyarrow import compute

    chunks = column.chunks if pa.types.is_dictionary(column.type) else []
    lengths = [compute.binary_length(c.dictionary).cast("int64").take(c.indices) for c in chunks]
    return sum(compute.sum(found).as_py() or 0 for found in lengths)


def _inside(folder: Path, depth: int) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if depth < MAX_DEPTH and entry.is_dir(follow_symlinks=False):
                yield from _inside(Path(entry.path), depth + 1)


def _refused(folder: Path, reason: str) -> MgcError:
    return MgcError(
        f"Run {folder.name!r} is not read: {reason}.",
        "A run holds only files and folders; if you trust it, copy what its links lead to: "
        "cp -rL OLD NEW",
    )


def no_run(name: str, known: Iterable[str], cutoff: float = 0.6) -> UsageError:
    """The error for a name that is no run's; that of a ready-made model says what it lacks."""
    if name and name == Path(name).name and model_folder(name).is_dir():
        return UsageError(
            f"{name} is a ready-made model: it has been given no tracks to answer here.",
            f"Score it: mgc evaluate {name} --data DATASET",
        )
    return unknown("run", name, known, "mgc runs list", cutoff)
