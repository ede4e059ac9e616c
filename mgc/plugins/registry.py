"""Finds plug-ins and loads what they declare; the only user of pluggy.

Each entry point is queried by itself: a broken package breaks only its own names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, Literal, cast

import pluggy

from mgc.errors import MgcError, UsageError, in_words, unknown
from mgc.plugins import declarations, distributions, hookspecs, validation
from mgc.plugins.contract import KINDS, LISTINGS, CommandInfo, Info
from mgc.plugins.distributions import BUILTIN_OWNER, Origin
from mgc.plugins.menu import AROUND_IMPORTS, COMMANDS

HOOKS = {
    "mgc_extractors": "extractor",
    "mgc_heads": "head",
    "mgc_strategies": "strategy",
    "mgc_commands": "command",
    "mgc_models": "model",
}

Status = Literal["ready", "missing", "broken", "conflict"]


@dataclass(frozen=True)
class Entry:
    """One declared plug-in: its record, which package provides it, and whether it can be used.

    ``folder`` is the ``dist-info`` of a package other than mgc's.
    """

    kind: str
    info: Info
    distribution: str
    version: str
    folder: str = ""
    status: Status = "ready"
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Plugin:
    """One entry point of the group ``mgc``: where it comes from and what it provides."""

    name: str
    module: str
    distribution: str
    version: str
    entries: tuple[Entry, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def status(self) -> Status:
        """The plug-in's own problem first, then those of what it declares."""
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
        """All declared plug-ins of a kind, sorted by name."""
        found = [e for plugin in self.plugins for e in plugin.entries if e.kind == kind]
        return sorted(found, key=lambda entry: (entry.info.name, entry.distribution))

    def broken(self) -> list[Plugin]:
        """The plug-ins that could not be loaded or whose declarations are wrong."""
        return [plugin for plugin in self.plugins if plugin.problem]

    def find(self, kind: str, name: str) -> Entry:
        """The one usable plug-in of that name.

        Raises UsageError if there is none, several, or one whose requirement is missing.
        """
        entries = self.entries(kind)
        entry = next((entry for entry in entries if entry.info.name == name), None)
        if entry is None:
            names = {e.info.name for e in entries} | set(COMMANDS if kind == "command" else ())
            error = unknown(kind, name, names, LISTINGS[kind])
            if broken := [plugin.distribution for plugin in self.broken()]:
                error.hint += f". (Could not be read: {', '.join(broken)}; see: mgc plugins list)"
            raise error
        if entry.status == "conflict":
            raise UsageError(f"{kind} {name!r}: {entry.problem}", entry.hint)
        if entry.status == "missing":
            raise MgcError(f"{kind} {name!r} cannot be used: {entry.problem}", entry.hint)
        return entry


def load(entry: Entry) -> Any:
    """Import the class (or, of a command, the function or Typer group) behind a declaration.

    Raises MgcError, naming the distribution, if it cannot be imported.
    """
    module_name, _, attribute = entry.info.load.partition(":")
    try:
        if entry.folder and entry.kind != "command":
            origin = entry.distribution, entry.version
            if problem := declarations.import_problem(module_name, *origin, entry.folder):
                raise ImportError(problem)
        with AROUND_IMPORTS.get()():
            return getattr(importlib.import_module(module_name), attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise MgcError(
            f"{entry.kind} {entry.info.name!r} of {entry.distribution} cannot be loaded from "
            f"{entry.info.load!r}: {in_words(error)}",
            f"Run: mgc plugins check {entry.info.name}",
        ) from error


def find(kind: str, name: str) -> Entry:
    """The usable plug-in of that kind and name in the installed catalogue."""
    return catalogue().find(kind, name)


def find_recorded(kind: str, wanted: Mapping[str, Any], owner: str) -> Entry:
    """The plug-in that ``owner`` (a run) was made with; ``wanted`` is what it recorded about it.

    Raises MgcError that names the distribution to install if the plug-in is missing.
    """
    name = wanted["name"]
    if any(entry.info.name == name for entry in catalogue().entries(kind)):
        return find(kind, name)
    raise MgcError(
        f"{owner} needs {kind} {name!r} of the package {wanted['distribution']} "
        f"{wanted['version']}, which is not installed.",
        f"Install it: pip install {distributions.package_of(wanted['distribution'])}",
    )


@cache
def catalogue() -> Catalogue:
    """All plug-ins installed in this environment; read once per process."""
    plugins = _read_all()
    plugins.sort(key=lambda plugin: (plugin.distribution != BUILTIN_OWNER, plugin.distribution))
    return Catalogue(_with_conflicts(tuple(plugins)))


def _read_all() -> list[Plugin]:
    """Read mgc's own entry points here, and those of other packages as `declarations.read` does."""
    plugins, others = [], []
    for point, origin, info in distributions.entry_points():
        if point is None:
            hint = f"pip install --force-reinstall {distributions.package_of(origin[0])}"
            problem = "it cannot be read"
            plugins.append(Plugin("", "entry_points.txt", *origin, problem=problem, hint=hint))
        elif origin[0] == BUILTIN_OWNER or not sys.executable:
            plugins.append(read(point, origin))
        else:
            others.append(declarations.Point(point.name, point.value, *origin, info))
    for one, made in zip(others, declarations.read(others), strict=True):
        plugin = Plugin(one.name, one.value, one.distribution, one.version)
        rebuilt = (_rebuilt(kind, fields, plugin) for kind, fields in made["records"])
        entries = tuple(replace(entry, folder=one.info) for entry in rebuilt)
        plugins.append(replace(plugin, entries=entries, problem=made["problem"], hint=made["hint"]))
    return plugins


def _rebuilt(kind: str, fields: Mapping[str, Any], plugin: Plugin) -> Entry:
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    return _entry(kind, KINDS[kind](**values), plugin)


def read(point: EntryPoint, origin: Origin) -> Plugin:
    """Load one entry point and ask what it declares; any exception is recorded."""
    distribution, version = origin
    plugin = Plugin(point.name, point.value, distribution, version)
    try:
        entries = tuple(_declared(point.load(), point.name, plugin))
        if not entries:
            raise MgcError(
                f"{point.value} declares nothing",
                f"mark a function named {' or '.join(HOOKS)} with @mgc.hookimpl",
            )
        return replace(plugin, entries=entries)
    except MgcError as error:
        return replace(plugin, problem=error.message, hint=error.hint)
    except BaseException as error:  # a third-party module may do anything on import
        problem = f"{_one_line(in_words(error))}{_where(error)}"
        return replace(plugin, problem=problem, hint=distributions.way_out_of(distribution))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _where(error: BaseException) -> str:
    """The line of the plug-in that raised the exception, for its author."""
    line = traceback.extract_tb(error.__traceback__)[-1]
    return "" if line.filename == __file__ else f" ({line.filename}:{line.lineno})"


def _declared(module: ModuleType, name: str, plugin: Plugin) -> Iterator[Entry]:
    manager = pluggy.PluginManager(distributions.GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise MgcError(
            f"{plugin.module} implements a hook that mgc does not have: {_one_line(str(error))}",
            f"the hooks are {', '.join(HOOKS)}; they take no argument",
        ) from error
    for hook, kind in HOOKS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            declared = implementation.function()
            if not isinstance(declared, Iterable):
                raise MgcError(
                    f"{hook} of {plugin.module} returns {type(declared).__name__}, not records",
                    "yield each record: yield ExtractorInfo(…)",
                )
            for info in declared:
                yield _checked(kind, info, plugin)


def _checked(kind: str, info: object, plugin: Plugin) -> Entry:
    validation.check(kind, info, plugin.module)
    return _entry(kind, cast(Info, info), plugin)


def _entry(kind: str, info: Info, plugin: Plugin) -> Entry:
    """The entry of a valid record, with what stands in the way of its use."""
    entry = Entry(kind, info, plugin.distribution, plugin.version)
    if isinstance(info, CommandInfo) and info.name in COMMANDS:
        problem = f"`mgc {info.name}` is a command of mgc itself"
        hint = f"Give it another name in {plugin.distribution}"
        return replace(entry, status="conflict", problem=problem, hint=hint)
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
    """Mark every name that is declared twice; neither is used."""
    owners: dict[tuple[str, str], list[Plugin]] = {}
    for plugin in plugins:
        for entry in plugin.entries:
            owners.setdefault((entry.kind, entry.info.name), []).append(plugin)

    def marked(entry: Entry) -> Entry:
        found = owners[entry.kind, entry.info.name]
        if len(found) < 2:
            return entry
        names = " and by ".join(f"{owner.distribution} ({owner.module})" for owner in found)
        return replace(
            entry,
            status="conflict",
            problem=f"it is declared by {names}",
            hint=_way_out({owner.distribution for owner in found}),
        )

    return tuple(replace(p, entries=tuple(marked(e) for e in p.entries)) for p in plugins)


def _way_out(owners: set[str]) -> str:
    if len(owners) == 1:
        return f"Give one of them another name in {owners.pop()}"
    removable = sorted(owners - {BUILTIN_OWNER})
    return "Keep one of them: " + " or ".join(f"pip uninstall {name}" for name in removable)
