"""The command line's own commands, each with its panel in the help. No package may use one of
these names."""

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
