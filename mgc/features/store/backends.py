"""Where shards are kept: a folder, or an object store (``s3://``, ``gs://`` …) through fsspec.

In a folder, a shard gets a temporary name, is synced, and then renamed. An object store shows an
upload only once it is complete; what is read from it is kept below ``MGC_HOME`` and mapped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from mgc.errors import MgcError, in_words
from mgc.features.store import shards
from mgc.features.store.shards import SUFFIX
from mgc.home import home, json_bytes, replace_file, sealed

IDENTITY = "identity.json"
HEAD_BYTES = 1 << 16  # read from an object store at once; the header of 32 tracks is 16 KiB
HEADS = 256  # of shards on an object store, in memory at once
#: What object stores call that which changes with an object.
CHANGES = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "created")


class StoreBackend(Protocol):
    """Where the shards of one store are kept."""

    folder: Path
    #: A shard ends at the first block of tracks after so many bytes, and at once above so many.
    shard_bytes: tuple[int, int]

    def stamps(self) -> dict[str, str]:
        """The name of every shard, and what changes when the shard does."""
        ...

    def heads(self, names: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
        """Name, first bytes (the header) and size of shards; those that are gone are left out."""
        ...

    def fetch(self, name: str, *, anew: bool = False) -> None:
        """Make sure that a shard is in ``folder``; ``anew``: whatever is there."""
        ...

    def put(self, name: str, content: Iterable[bytes | memoryview], *, keep: bool = True) -> None:
        """Add a shard, completely or not at all; ``keep``: also in ``folder``, if it is cached
        there."""
        ...

    def remove(self, name: str) -> None:
        """Remove a shard."""
        ...

    def keep_identity(self, record: Mapping[str, Any]) -> None:
        """Write the record of what the store holds, unless it exists."""
        ...


def place(root: Path | str, name: str) -> StoreBackend:
    """The location of one store below a root.

    Raises MgcError if the root is a URL that fsspec cannot open here.
    """
    if isinstance(root, str) and "://" in root:
        return ObjectStore(f"{root}/{name}", home() / "features-read" / name)
    return Folder(Path(root) / name)


class Folder:
    """A folder on a file system."""

    shard_bytes = (0, 64 << 20)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stamps(self) -> dict[str, str]:
        """See `StoreBackend`."""
        found = {}
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):  # cleared since
                        stat = entry.stat()
                        found[entry.name] = f"{stat.st_size} {stat.st_mtime_ns}"
        return found

    def heads(self, names: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
        """See `StoreBackend`."""
        for path in map(self.folder.joinpath, names):
            try:
                if path.exists() and not path.is_file():  # opening a pipe would wait forever
                    raise shards.DamagedShardError(path, "it is not a regular file")
                with open(path, "rb") as file:
                    yield path.name, shards.head(file), os.fstat(file.fileno()).st_size
            except FileNotFoundError:  # cleared since
                continue

    def fetch(self, name: str, *, anew: bool = False) -> None:
        """See `StoreBackend`."""

    def put(self, name: str, content: Iterable[bytes | memoryview], *, keep: bool = True) -> None:
        """See `StoreBackend`."""
        replace_file(self.folder / name, content)

    def remove(self, name: str) -> None:
        """See `StoreBackend`."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise MgcError(f"Cannot remove {self.folder / name}: {error.strerror}.") from error

    def keep_identity(self, record: Mapping[str, Any]) -> None:
        """See `StoreBackend`."""
        if not (self.folder / IDENTITY).exists():
            self.put(IDENTITY, [json_bytes(sealed(record))])


class ObjectStore:
    """A prefix of an object store, and the folder that caches what was read from it."""

    shard_bytes = (64 << 20, 64 << 20)  # a process that makes features holds one of each extractor

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        try:
            import fsspec

            options = {"auto_mkdir": True} if url.startswith(("file:", "local:")) else {}
            self.files, self.prefix = fsspec.core.url_to_fs(url, **options)
        except (ImportError, ValueError) as error:
            scheme = url.partition(":")[0]
            raise MgcError(
                f"{url} cannot be opened: {error}",
                f"Install fsspec's package for {scheme}:// (s3fs, gcsfs, adlfs …) here.",
            ) from error

    def stamps(self) -> dict[str, str]:
        """See `StoreBackend`."""
        with _reaching(self.url):
            self.files.invalidate_cache()
            found = self.files.glob(f"{self.prefix}/*{SUFFIX}", detail=True)
        said = {path.rpartition("/")[2]: facts for path, facts in found.items()}
        self.sizes = {name: facts["size"] for name, facts in said.items()}
        return {
            name: " ".join(str(facts[key]) for key in ("size", *CHANGES) if key in facts)
            for name, facts in said.items()
        }

    def heads(self, names: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
        """See `StoreBackend`."""
        for some in [names[first : first + HEADS] for first in range(0, len(names), HEADS)]:
            paths = [f"{self.prefix}/{name}" for name in some]
            with _reaching(self.url):
                heads = self.files.cat_ranges(paths, 0, HEAD_BYTES, on_error="raise")
                for name, path, head in zip(some, paths, heads, strict=True):
                    if more := shards.missing(head):
                        head += self.files.cat_file(path, start=len(head), end=len(head) + more)
                    self._forget_other(name)
                    yield name, head, self.sizes[name]

    def _forget_other(self, name: str) -> None:
        """Remove what was read of a shard before another machine replaced it."""
        copy = self.folder / name
        if copy.exists() and copy.stat().st_size != self.sizes[name]:
            copy.unlink(missing_ok=True)

    def fetch(self, name: str, *, anew: bool = False) -> None:
        """See `StoreBackend`."""
        if anew or not (self.folder / name).exists():
            with _reaching(f"{self.url}/{name}"):
                content = self.files.cat_file(f"{self.prefix}/{name}")
            replace_file(self.folder / name, content)

    def put(self, name: str, content: Iterable[bytes | memoryview], *, keep: bool = True) -> None:
        """See `StoreBackend`."""
        whole = b"".join(content)
        with _reaching(f"{self.url}/{name}"):
            self.files.pipe_file(f"{self.prefix}/{name}", whole)
        Folder(self.folder).remove(name)  # what was read before
        if keep:
            replace_file(self.folder / name, whole)

    def remove(self, name: str) -> None:
        """See `StoreBackend`."""
        Folder(self.folder).remove(name)
        with _reaching(f"{self.url}/{name}"):
            self.files.rm_file(f"{self.prefix}/{name}")

    def keep_identity(self, record: Mapping[str, Any]) -> None:
        """See `StoreBackend`."""
        with _reaching(self.url):
            if not self.files.exists(f"{self.prefix}/{IDENTITY}"):
                self.files.pipe_file(f"{self.prefix}/{IDENTITY}", json_bytes(sealed(record)))


class _reaching:  # noqa: N801 - reads as a phrase: with _reaching(url)
    """Turns an error from an object store's client into one line."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise MgcError(
                f"{self.url} cannot be reached: {in_words(error)}",
                "Check the address and the credentials of MGC_FEATURES.",
            ) from error
