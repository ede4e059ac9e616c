"""Reads what one entry point declares and writes it to a file; see `mgc.plugins.declarations`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import EntryPoint

from mgc.plugins import registry
from mgc.plugins.declarations import Point
from mgc.plugins.distributions import GROUP
from mgc.plugins.environment_reads import Environment, ReadNames


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
