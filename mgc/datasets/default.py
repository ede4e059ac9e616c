"""The dataset that commands take if none is named."""

from __future__ import annotations

from pathlib import Path

from mgc.home import home, read_json, write_json


def chosen_default() -> str | None:
    """Its name, None if none was chosen. Raises MgcError if the choice is damaged."""
    path = _file()
    hint = f"It only holds the default dataset: rm '{path}'; mgc data use NAME"
    name: str | None = read_json(path, hint).get("dataset") if path.exists() else None
    return name


def choose_default(name: str | None) -> None:
    """Choose it for later commands."""
    write_json(_file(), {"dataset": name})


def _file() -> Path:
    return home() / "settings.json"
