"""The commands that installed packages bring, for the help.

`mgc --help` should not wait for the whole catalogue, nor for importlib.metadata, whose import takes
longer than all the work here. What is broken is left out: `mgc plugins list` reports it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from mgc.plugins.contract import CommandInfo
from mgc.plugins.menu import COMMANDS

HOOK = "mgc_commands"
GROUP = "[mgc]"


def package_commands() -> list[CommandInfo]:
    """The valid records of all packages, one per name, sorted by name."""
    found: dict[str, CommandInfo] = {}
    for name in dict.fromkeys(_modules()):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                if _may_declare(name):
                    found = {info.name: info for info in _declared(import_module(name))} | found
        except (Exception, SystemExit):  # a third-party module may do anything on import
            continue
    return [found[name] for name in sorted(found) if name not in COMMANDS]


def _modules() -> Iterator[str]:
    """The modules that the entry points of installed packages name."""
    for folder in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            for member in os.listdir(folder or "."):
                if member.endswith((".dist-info", ".egg-info")):
                    yield from _named(os.path.join(folder, member, "entry_points.txt"))


def _named(path: str) -> Iterator[str]:
    try:
        text = _read(path).decode(errors="replace")
    except OSError:
        return
    section = text.partition(GROUP)[2].partition("\n[")[0]
    for line in section.splitlines()[1:]:
        name = line.partition("=")[2].partition(":")[0].partition("[")[0].strip()
        if name:
            yield name


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _may_declare(name: str) -> bool:
    """Whether a module's text mentions the hook, as far as that can be told without importing
    it or the package around it."""
    spec: ModuleSpec | None = None
    for end, _ in enumerate(parts := name.split("."), start=1):
        path = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return True  # found by an import hook, as some editable installs are
    source = spec.origin if spec else None
    if source is None or not source.endswith(".py"):
        return True
    text = _read(source)
    return HOOK.encode() in text or b"import *" in text


def _declared(module: ModuleType) -> Iterator[CommandInfo]:
    from mgc.plugins import validation

    for function in vars(module).values():
        marks = getattr(function, "mgc_impl", None)  # what `hookimpl` leaves on a function
        if marks and (marks["specname"] or function.__name__) == HOOK:
            for info in function():
                validation.check("command", info, module.__name__)
                yield info
