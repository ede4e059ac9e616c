"""Reads what one entry point declares and writes it to a file; see `mgc.plugins.declarations`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import EntryPoint

from mgc.plugins import registry
from mgc.plugins.declarations import Point
from mgc.plugins.distributions import GROUP

Environment = type(os.environ)


class ReadNames(Environment):  # type: ignore[valid-type,misc]
    """The environment, which writes down the names that are read: also if the process then ends.

    Copying all of it, as ``dict(os.environ)`` does, reads nothing in particular: behind the names
    stands a tab and their number, and `in_particular` takes them away again.
    """

    file = ""
    listed: tuple[str, ...] = ()
    read = 0  # how many of those listed have been read since, in their order

    def __iter__(self) -> Iterator[str]:
        ReadNames.listed, ReadNames.read = tuple(super().__iter__()), 0
        return iter(ReadNames.listed)

    def __getitem__(self, name: str) -> str:
        next_listed = ReadNames.listed[ReadNames.read : ReadNames.read + 1]
        ReadNames.read = ReadNames.read + 1 if next_listed == (name,) else len(ReadNames.listed) + 1
        line = f"{name}\n"
        if ReadNames.read == len(ReadNames.listed):
            line += f"\t{ReadNames.read}\n"
        with open(ReadNames.file, "a", encoding="utf-8", errors="replace") as file:
            file.write(line)
        value: str = super().__getitem__(name)
        return value

    def copy(self) -> dict[str, str]:
        """Copying reads nothing in particular."""
        return {name: super(ReadNames, self).__getitem__(name) for name in super().__iter__()}


def in_particular(text: str) -> list[str]:
    """The names that were read one by one, of what `ReadNames` has written."""
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            del names[-int(line) :]
        else:
            names.append(line)
    return sorted(set(names))


def write(point: Sequence[str], out: str) -> None:
    """Import the module of a `Point` and write what it declares as JSON; then end at once.

    An implementation declares nothing, and what it raises is caught where it is used, except for a
    KeyboardInterrupt, which is taken for Ctrl-C there.
    """
    name, value, *origin, _ = Point(*point)
    ReadNames.file = f"{out}.names"
    os.environ.__class__ = ReadNames
    plugin = registry.read(EntryPoint(name, value, GROUP), (origin[0], origin[1]))
    os.environ.__class__ = Environment
    records = [(entry.kind, asdict(entry.info)) for entry in plugin.entries]
    is_said = name or plugin.problem.startswith("KeyboardInterrupt")
    made = {"records": records, "problem": plugin.problem if is_said else "", "hint": plugin.hint}
    with open(f"{out}.part", "w", encoding="utf-8") as file:
        json.dump(made, file)
    os.replace(f"{out}.part", out)
    os._exit(0)  # threads that the module has started do not hold it up
