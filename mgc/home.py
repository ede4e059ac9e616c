"""Where mgc keeps datasets, features and runs, and how it writes there and reads again.

A record (a JSON file) holds its own checksum under `OWN`, and under `FILES` those of files beside
it. CRC-32 finds every change of up to 32 adjacent bits and all but 1 in 4 billion of the others; it
is several times as fast as the other hashes of the standard library.
"""

from __future__ import annotations

import json
import math
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path
from typing import IO, Any, TypeAlias

from mgc.errors import MgcError

Buffer: TypeAlias = bytes | memoryview
OWN, FILES = "checksum", "checksums"
CHANGED = "has changed since it was written"
MAX_JSON = 32 << 20  # bytes; far more than any of our files has
MAX_FILE, MAX_HEADER = 32 << 30, 4 << 20  # bytes of a run's file, and of a safetensors header
SPACE = "Free some space or choose another location with --home."


def home() -> Path:
    """``MGC_HOME`` (set by ``--home``), else the platform's data folder."""
    named = os.environ.get("MGC_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mgc")


def model_folder(name: str) -> Path:
    """Where `mgc models get` puts a ready-made model, a run folder."""
    return home() / "models" / name


def weights_here(weights: str) -> bool:
    """Whether the ``weights`` that an extractor declares are on this machine ("": none needed)."""
    if not weights.startswith("hub:"):
        return not weights or (home() / weights).is_file()
    from huggingface_hub.constants import HF_HUB_CACHE

    model = weights.removeprefix("hub:").replace("/", "--")
    return any(Path(HF_HUB_CACHE).glob(f"models--{model}/snapshots/*/model*.safetensors"))


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON with its checksum, whole or not at all: to a temporary name, synced, renamed."""
    replace_file(path, json_bytes(sealed(record)))


def json_bytes(record: Any) -> bytes:
    """JSON in the form that all of our files use."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode()


def checksum(*pieces: Buffer) -> str:
    """Eight hexadecimal digits."""
    return _checksum(pieces)


def _checksum(pieces: Iterable[Buffer]) -> str:
    return f"{reduce(lambda before, piece: zlib.crc32(piece, before), pieces, 0):08x}"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its own checksum, which does not depend on spaces and line breaks."""
    plain = {key: value for key, value in record.items() if key != OWN}
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {**plain, OWN: checksum(text.encode())}


def checksums_of(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """The checksums of files, by their path below ``folder``."""
    return {p.relative_to(folder).as_posix(): checksum_of(p) for p in sorted(paths)}


def checksum_of(path: Path) -> str:
    """The `checksum` of a file, of which little is in memory at a time."""
    with open(path, "rb") as file:
        return _checksum(iter(partial(file.read, 1 << 20), b""))


def problem_of(folder: Path, name: str, checksums: Mapping[str, str]) -> str:
    """What is wrong with one file below ``folder``, in words; "" if nothing is, or if a version
    without checksums wrote it. A file that would take all memory or time is wrong too."""
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return f"{name} is missing"
    if path.stat().st_size > MAX_FILE:
        return f"{name}: it is larger than {MAX_FILE >> 30} GiB"
    if name in checksums and checksum_of(path) != checksums[name]:
        return f"{name} {CHANGED}"
    if path.suffix == ".safetensors":
        with open(path, "rb") as file:
            if int.from_bytes(file.read(8), "little") > MAX_HEADER:
                return f"{name}: its header is larger than {MAX_HEADER >> 20} MiB"
    return ""


def bytes_of(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, without opening it, for a device or pipe: reading may
    never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file")
    return path.read_bytes()


@dataclass
class Verification:
    """How many things are as they were written, and the names of those that are damaged or, written
    by a version without checksums, cannot be told."""

    verified: int = 0
    unverified: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def replace_file(path: Path, content: Buffer | Iterable[Buffer], hint: str = SPACE) -> None:
    """Put ``content`` at ``path`` so that a reader sees the old file or the new, never a part."""
    with replacing(path, hint) as file:
        file.writelines([content] if isinstance(content, bytes | memoryview) else content)


@contextmanager
def replacing(
    path: Path, hint: str = SPACE, *, temporary: Path | None = None, sync: bool = True
) -> Iterator[IO[bytes]]:
    """A file to write, which becomes ``path`` at the end of the block; it is removed on an error.

    Args:
        path: where to write; missing folders are created.
        hint: what to do if it cannot be written.
        temporary: its name until then; default: one that no other process uses.
        sync: flush the bytes to the disk before the file gets its name.

    Raises:
        MgcError: the file cannot be written.
    """
    temporary = temporary or _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        with open(temporary, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise MgcError(f"Cannot write {path}: {error.strerror or error}.", hint) from error


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{host_name()}.{os.getpid()}.tmp")


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for the block alone, below ``parent`` or else in the system's place; one that a
    killed process left is removed by the next process that makes one there."""
    import tempfile

    parent = parent or Path(tempfile.gettempdir())
    _remove_leftovers(parent, ".mgc-*")  # other programs' files may be there
    ending = f".{host_name()}.{os.getpid()}.tmp"
    with tempfile.TemporaryDirectory(ending, ".mgc-", parent, ignore_cleanup_errors=True) as made:
        yield Path(made)


def remove_folder(folder: Path) -> None:
    """Remove a folder of the home. Raises MgcError that names it if that is not possible."""
    import shutil

    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise MgcError(f"Cannot remove {folder}: {error.strerror or error}.", SPACE) from error


def free_bytes(folder: Path) -> int:
    """The free space of the disk on which a folder is, or will be."""
    import shutil

    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def replace_together(path: Path, record: Mapping[str, Any], contents: Mapping[str, Buffer]) -> None:
    """Replace files, by their path below the folder of ``path``, and ``path``, the record that
    holds their checksums, in one step: a reader who calls `settle` sees all as old or all as new.
    """
    known: dict[str, str] = {}
    with suppress(MgcError):
        known = read_json(path).get(FILES, {})
    settle(path.parent, known)
    new = {name: checksum(content) for name, content in contents.items()}
    waiting = {name: _temporary(path.parent / name) for name in contents}
    try:
        for name, content in contents.items():
            replace_file(waiting[name], content)
        write_json(path, {**record, FILES: {**known, **new}})
    except MgcError:  # a full disk: all is as it was
        for one in waiting.values():
            with suppress(OSError):
                one.unlink()
        raise
    settle(path.parent, new)


def settle(folder: Path, checksums: Mapping[str, str]) -> None:
    """Finish what a killed `replace_together` began: rename the files that its record names."""
    from glob import escape

    for name, wanted in checksums.items():
        for waiting in (folder / name).parent.glob(f".{escape(Path(name).name)}.*.tmp"):
            with suppress(OSError):
                if checksum(bytes_of(waiting)) == wanted:
                    os.replace(waiting, folder / name)


_tidy = set[Path]()


def _remove_leftovers(folder: Path, named: str = ".*") -> None:
    """Remove temporary files and folders of killed processes of this machine; looks once in each
    folder."""
    if folder in _tidy:
        return
    _tidy.add(folder)
    for path in folder.glob(f"{named}.{host_name()}.*.tmp"):
        import shutil

        number = path.name.split(".")[-2]
        if number.isdigit() and not process_exists(int(number)):
            with suppress(OSError):
                (shutil.rmtree if path.is_dir() else os.unlink)(path)


def process_exists(number: int) -> bool:
    """Whether a process of this machine is there."""
    import psutil

    return bool(psutil.pid_exists(number))


def host_name() -> str:
    """This machine's name, without dots."""
    import socket

    return socket.gethostname().replace(".", "-") or "host"


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object. Raises MgcError naming the file if it is missing or damaged, larger than
    `MAX_JSON` or too deep, or has a number that is not finite; ``hint`` says what to do then."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise ValueError(f"it is larger than {MAX_JSON >> 20} MiB")
        record = json.loads(bytes_of(path).decode(), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError as error:
        raise MgcError(f"{path} is missing.", hint) from error
    except (OSError, ValueError, RecursionError) as error:
        raise MgcError(f"{path} cannot be read: {error}.", hint) from error
    if not isinstance(record, dict):
        raise MgcError(f"{path} is damaged: it does not contain a JSON object.", hint)
    try:
        if OWN in record and sealed(record)[OWN] != record.pop(OWN):
            raise ValueError(f"it {CHANGED}")
    except ValueError as error:
        raise MgcError(f"{path} is damaged: {error}.", hint) from error
    return record


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number
