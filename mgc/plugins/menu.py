"""The command line's own commands, each with its panel in the help. No package may use one of
these names."""

START, DATA, MODELS, PLUGINS = "Start here", "Data", "Models", "Plug-ins"
#: In the order of `mgc --help`; each is a function or a group in ``mgc.cli.commands.NAME``.
COMMANDS = {
    "demo": START,
    "data": DATA,
    "features": DATA,
    "fit": MODELS,
    "ensemble": MODELS,
    "compare": MODELS,
    "experiment": MODELS,
    "report": MODELS,
    "plot": MODELS,
    "predict": MODELS,
    "runs": MODELS,
    "heads": PLUGINS,
    "strategies": PLUGINS,
    "plugins": PLUGINS,
}
