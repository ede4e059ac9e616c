"""What plug-ins meet under the command line: its own commands, each with its panel in the help,
whose names no package may use; and what surrounds their import."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

PLUGINS = "Plug-ins"
#: In the order of `mgc --help`; each is a function or a group in ``mgc.cli.commands.NAME``.
PANELS = {
    "Start here": ("demo",),
    "Data": ("data", "features"),
    "Models": (
        *("fit", "ensemble", "compare", "evaluate", "experiment", "report", "plot"),
        *("predict", "explain", "similar", "models", "runs"),
    ),
    PLUGINS: ("heads", "strategies", "plugins"),
}
COMMANDS = {name: panel for panel, names in PANELS.items() for name in names}
#: Surrounds each import of a plug-in's code. The command line sends to stderr what its main thread
#: prints there: stdout may be JSON that a program reads.
AROUND_IMPORTS: ContextVar[Callable[[], AbstractContextManager[Any]]] = ContextVar(
    "AROUND_IMPORTS", default=nullcontext
)
