"""Where mgc keeps datasets, features and runs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

from mgc.errors import MgcError

Buffer: TypeAlias = bytes | memoryview
MAX_JSON = 32 << 20  # bytes; far more than any of our files has
SPACE = "Free some space or choose another location with --home."


def home() -> Path:
    """``MGC_HOME`` (set by ``--home``), else the platform's data folder."""
    named = os.environ.get("MGC_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mgc")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all: to a temporary name, synced, then renamed."""
    replace_file(path, json_bytes(record))


def json_bytes(record: Any) -> bytes:
    """JSON in the form that all of our files use."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode()


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
    temporary = temporary or path.with_name(f".{path.name}.{host_name()}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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
        text = path.read_text(encoding="utf-8")
        record = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (OSError, ValueError, RecursionError) as error:
        raise MgcError(f"{path} cannot be read: {error}.", hint) from error
    if not isinstance(record, dict):
        raise MgcError(f"{path} is damaged: it does not contain a JSON object.", hint)
    return record


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def setting(name: str) -> Any:
    """A setting that a command stored (such as the default dataset), or None."""
    return _settings().get(name)


def store_setting(name: str, value: Any) -> None:
    """Keep a setting for later commands."""
    write_json(home() / "settings.json", {**_settings(), name: value})


def _settings() -> dict[str, Any]:
    path = home() / "settings.json"
    hint = f"It only holds the default dataset: rm '{path}'; mgc data use NAME"
    return read_json(path, hint) if path.exists() else {}
