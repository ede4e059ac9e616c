"""Finds plug-ins and loads what they declare. The only user of pluggy.

Each entry point is loaded and asked by itself, so that a broken package breaks nothing but its
own names. Nothing here imports an implementation until `load` is called.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal, cast

import pluggy

from mgc import hookspecs
from mgc.contract import KINDS, NOUNS, ExtractorInfo, HeadInfo, Info, StrategyInfo
from mgc.errors import MgcError, UsageError, unknown

GROUP = "mgc"
HOOKS = {
    "mgc_extractors": "extractor",
    "mgc_heads": "head",
    "mgc_strategies": "strategy",
}

Status = Literal["ready", "missing", "broken", "conflict"]


@dataclass(frozen=True)
class Entry:
    """One declared plug-in: its record, who brought it, and whether it can be used."""

    kind: str
    info: Info
    distribution: str
    version: str
    status: Status = "ready"
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group ``mgc``: where it comes from and what it brought."""

    name: str
    module: str
    distribution: str
    version: str
    entries: tuple[Entry, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def status(self) -> Status:
        """The plug-in's own trouble first, then that of what it declares."""
        if self.problem:
            return "broken"
        found = {entry.status for entry in self.entries}
        order: tuple[Status, ...] = ("broken", "conflict", "missing")
        return next((status for status in order if status in found), "ready")


@dataclass(frozen=True)
class Catalogue:
    """Everything that was found, by plug-in."""

    plugins: tuple[Plugin, ...]

    def entries(self, kind: str) -> list[Entry]:
        """All declared plug-ins of a kind, the names in order."""
        found = [e for plugin in self.plugins for e in plugin.entries if e.kind == kind]
        return sorted(found, key=lambda entry: (entry.info.name, entry.distribution))

    def broken(self) -> list[Plugin]:
        """The plug-ins that could not be loaded or declared something wrong."""
        return [plugin for plugin in self.plugins if plugin.problem]

    def find(self, kind: str, name: str) -> Entry:
        """The one usable plug-in of that name.

        Raises UsageError where there is none, several, or one whose requirement is missing.
        """
        found = [entry for entry in self.entries(kind) if entry.info.name == name]
        if not found:
            raise self._not_found(kind, name)
        entry = found[0]
        if entry.status == "conflict":
            raise UsageError(f"{kind} {name!r}: {entry.problem}", entry.hint)
        if entry.status == "missing":
            raise MgcError(f"{kind} {name!r} cannot be used: {entry.problem}", entry.hint)
        return entry

    def _not_found(self, kind: str, name: str) -> UsageError:
        names = {entry.info.name for entry in self.entries(kind)}
        error = unknown(kind, name, names, f"mgc {NOUNS[kind]} list")
        broken = [plugin.distribution for plugin in self.broken()]
        if broken:
            error.hint += f". (Could not be read: {', '.join(broken)}; see: mgc plugins list)"
        return error


def load(entry: Entry) -> type[Any]:
    """Import the class behind a declaration.

    Raises MgcError where the module or the class is not there, naming the distribution.
    """
    module_name, _, attribute = entry.info.load.partition(":")
    try:
        return cast(type[Any], getattr(importlib.import_module(module_name), attribute))
    except Exception as error:
        raise MgcError(
            f"{entry.kind} {entry.info.name!r} of {entry.distribution} cannot be loaded from "
            f"{entry.info.load!r}: {type(error).__name__}: {error}",
            f"Run: mgc plugins check {entry.info.name}",
        ) from error


def find(kind: str, name: str) -> Entry:
    """The usable plug-in of that kind and name in the installed catalogue."""
    return catalogue().find(kind, name)


@cache
def catalogue() -> Catalogue:
    """All plug-ins installed in this environment; read once a process."""
    points = entry_points(group=GROUP)
    # One distribution seen twice on sys.path (a source tree and its install) is one plug-in.
    unique = {(point.value, point.name, _origin(point)[0]): point for point in points}
    plugins = [_read(point) for point in unique.values()]
    plugins.sort(key=lambda plugin: (plugin.distribution != "mgc", plugin.distribution))
    return Catalogue(_with_conflicts(tuple(plugins)))


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "(unknown)", ""
    return point.dist.metadata["Name"] or "(unnamed)", point.dist.version


def _read(point: EntryPoint) -> Plugin:
    """Load one entry point and ask it what it declares; whatever it raises is noted."""
    distribution, version = _origin(point)
    plugin = Plugin(point.name, point.value, distribution, version)
    try:
        module = point.load()
        entries = tuple(_declared(module, point.name, plugin))
        if not entries:
            raise MgcError(
                f"{point.value} declares nothing",
                f"mark a function named {', '.join(HOOKS)} with @mgc.hookimpl",
            )
        return replace(plugin, entries=entries)
    except MgcError as error:
        return replace(plugin, problem=error.message, hint=error.hint)
    except (Exception, SystemExit) as error:  # a stranger's module may do anything on import
        problem = f"{type(error).__name__}: {error}"
        return replace(plugin, problem=problem, hint=f"update or remove {distribution}")


def _declared(module: ModuleType, name: str, plugin: Plugin) -> Iterator[Entry]:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise MgcError(
            f"{plugin.module} implements a hook that mgc does not have: {error}",
            f"the hooks are {', '.join(HOOKS)}",
        ) from error
    for hook, kind in HOOKS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            for info in implementation.function():
                yield _checked(kind, info, plugin)


def _checked(kind: str, info: object, plugin: Plugin) -> Entry:
    record = KINDS[kind]
    if not isinstance(info, record):
        raise MgcError(
            f"{plugin.module} yields {type(info).__name__} where {record.__name__} belongs",
            f"yield mgc.{record.__name__}(…)",
        )
    info = cast(ExtractorInfo | HeadInfo | StrategyInfo, info)
    module, colon, attribute = info.load.partition(":")
    if not (module and colon and attribute.isidentifier()):
        raise MgcError(
            f"{kind} {info.name!r} of {plugin.module} names its code as {info.load!r}",
            'write load="package.module:Class"',
        )
    entry = Entry(kind, info, plugin.distribution, plugin.version)
    absent = [need for need in info.requires if not _installed(need)]
    if absent:
        hint = info.install or f"pip install {' '.join(absent)}"
        problem = f"it needs {', '.join(absent)}, which is not installed"
        return replace(entry, status="missing", problem=problem, hint=f"Install it: {hint}")
    return entry


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _with_conflicts(plugins: tuple[Plugin, ...]) -> tuple[Plugin, ...]:
    """Mark every name that two distributions declare; neither wins."""
    owners: dict[tuple[str, str], list[str]] = {}
    for plugin in plugins:
        for entry in plugin.entries:
            owners.setdefault((entry.kind, entry.info.name), []).append(
                f"{plugin.distribution} ({plugin.module})"
            )

    def marked(entry: Entry) -> Entry:
        names = owners[entry.kind, entry.info.name]
        if len(names) < 2:
            return entry
        return replace(
            entry,
            status="conflict",
            problem=f"it is declared by {' and by '.join(names)}",
            hint="Uninstall one of them",
        )

    return tuple(replace(p, entries=tuple(marked(e) for e in p.entries)) for p in plugins)
