"""The commands that installed packages bring, for the help.

`mgc --help` should not wait for the whole catalogue, nor for importlib.metadata, whose import takes
longer than all the work here. What is broken is left out: `mgc plugins list` reports it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from mgc.plugins import declarations
from mgc.plugins.contract import CommandInfo
from mgc.plugins.menu import COMMANDS

HOOK = "mgc_commands"
GROUP = "[mgc]"
KIND = "command"
OWN = "mgc.plugins.builtin"


def package_commands() -> list[CommandInfo]:
    """The valid records of all packages, one per name, sorted by name."""
    found: dict[str, CommandInfo] = {}
    for value, info in _points():
        if value != OWN and _may_declare(declarations.module_of(value)):
            made = declarations.cached(value, info)
            if made is None:
                return _from_catalogue()
            records = [CommandInfo(**fields) for kind, fields in made["records"] if kind == KIND]
            found = {record.name: record for record in records} | found
    return [found[name] for name in sorted(found) if name not in COMMANDS]


def _from_catalogue() -> list[CommandInfo]:
    """The same from the catalogue, which reads what has not been read yet."""
    from mgc.plugins import registry

    entries = registry.catalogue().entries(KIND)
    found = {entry.info.name: entry.info for entry in reversed(entries)}
    return [
        info
        for name, info in sorted(found.items())
        if name not in COMMANDS and isinstance(info, CommandInfo)
    ]


def _points() -> Iterator[tuple[str, str]]:
    """The values of the entry points of installed packages, each with its ``dist-info``."""
    for folder in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            for member in os.listdir(folder or "."):
                if member.endswith((".dist-info", ".egg-info")):
                    yield from _named(os.path.join(folder, member))


def _named(info: str) -> Iterator[tuple[str, str]]:
    try:
        text = _read(os.path.join(info, "entry_points.txt")).decode(errors="replace")
    except OSError:
        return
    section = text.partition(GROUP)[2].partition("\n[")[0]
    for line in section.splitlines()[1:]:
        if value := line.partition("=")[2].strip():
            yield value, info


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _may_declare(module: str) -> bool:
    """Whether a module's text mentions the hook, as far as can be told without importing it."""
    source = declarations.module_source(module)
    if source is None or not source.endswith(".py"):
        return True
    text = _read(source)
    return HOOK.encode() in text or b"import *" in text
