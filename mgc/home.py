"""Where mgc keeps datasets, features and runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgc.errors import MgcError

if TYPE_CHECKING:
    import sqlite3


def home() -> Path:
    """``MGC_HOME`` (set by ``--home``), else the platform's data folder."""
    named = os.environ.get("MGC_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mgc")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all: to a temporary name, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, text.encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader sees the old file or the new, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise MgcError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Free some space or choose another place with --home.",
        ) from error


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object. Raises MgcError naming the file where it is absent or damaged; ``hint``
    says what to do then."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MgcError(f"{path} cannot be read: {error}.", hint) from error
    if not isinstance(record, dict):
        raise MgcError(f"{path} is damaged: it holds no JSON object.", hint)
    return record


def cache_database(name: str, table: str) -> sqlite3.Connection:
    """A SQLite file at home with one ``table`` (CREATE TABLE …), in which things are remembered to
    save time; one that is damaged is begun anew.

    Raises sqlite3.OperationalError where it is locked, or cannot be written.
    """
    import sqlite3

    path = home() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _with_table(path, table)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # "file is not a database"
        path.unlink()
        return _with_table(path, table)


def _with_table(path: Path, table: str) -> sqlite3.Connection:
    import sqlite3

    database = sqlite3.connect(path, timeout=60)
    try:
        database.execute(table)
    except sqlite3.Error:
        database.close()
        raise
    return database


def setting(name: str) -> Any:
    """A setting that a command stored (such as the default dataset), or None."""
    return _settings().get(name)


def store_setting(name: str, value: Any) -> None:
    """Keep a setting for later commands."""
    write_json(home() / "settings.json", {**_settings(), name: value})


def _settings() -> dict[str, Any]:
    path = home() / "settings.json"
    hint = f"It holds the default dataset alone: rm '{path}'; mgc data use NAME"
    return read_json(path, hint) if path.exists() else {}
