"""The ``mgc`` command: all nouns in one place, and the one place where errors become text."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mgc import __version__
from mgc.cli import (
    compare,
    data,
    demo,
    ensemble,
    experiment,
    features,
    fit,
    heads,
    output,
    plot,
    plugins,
    predict,
    report,
    runs,
    strategies,
)
from mgc.errors import MgcError

STOPPED = 130  # the shell's code for Ctrl-C: 128 + SIGINT

app = typer.Typer(
    name="mgc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Panels and colours for people; plain text, which starts twice as fast, for pipes.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which genre is this, how sure are we, and which view of the sound tells us? "
    "Any feature extractor × any head × any ensemble strategy, each a plug-in.",
)
GETTING_STARTED, DATA, MODELS, PLUGINS = "Start here", "Data", "Models", "Plug-ins"
app.command("demo", rich_help_panel=GETTING_STARTED)(demo.demo)
app.add_typer(data.app, name="data", rich_help_panel=DATA)
app.add_typer(features.app, name="features", rich_help_panel=DATA)
app.command("fit", rich_help_panel=MODELS)(fit.fit)
app.command("ensemble", rich_help_panel=MODELS)(ensemble.ensemble)
app.command("compare", rich_help_panel=MODELS)(compare.compare)
app.add_typer(experiment.app, name="experiment", rich_help_panel=MODELS)
app.command("report", rich_help_panel=MODELS)(report.report)
app.add_typer(plot.app, name="plot", rich_help_panel=MODELS)
app.command("predict", rich_help_panel=MODELS)(predict.predict)
app.add_typer(runs.app, name="runs", rich_help_panel=MODELS)
app.add_typer(heads.app, name="heads", rich_help_panel=PLUGINS)
app.add_typer(strategies.app, name="strategies", rich_help_panel=PLUGINS)
app.add_typer(plugins.app, name="plugins", rich_help_panel=PLUGINS)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mgc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    home: Annotated[
        Path | None,
        typer.Option(help="Where datasets, features and runs live.", envvar="MGC_HOME"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
    if home is not None:
        os.environ["MGC_HOME"] = str(home.expanduser().absolute())


def main() -> None:
    """Run the command line; leave with 0, 1 (failed), 2 (wrong request) or 130 (Ctrl-C)."""
    try:
        app()
    except MgcError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except SystemExit as left:
        if left.code == STOPPED:  # Typer has caught Ctrl-C
            output.note("Stopped. What was finished is kept; run the same command to go on.")
        raise
    except OSError as error:
        _complain(MgcError(_system(error), "Set MGC_DEBUG=1 to see where it happened."))
        sys.exit(1)
    except Exception as error:
        _complain(
            MgcError(
                f"mgc itself failed: {type(error).__name__}: {error}",
                "Please report it with the output of the same command under MGC_DEBUG=1.",
            )
        )
        sys.exit(1)


def _system(error: OSError) -> str:
    return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)


def _complain(error: MgcError) -> None:
    if os.environ.get("MGC_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    output.complain(error.message, error.hint)


if __name__ == "__main__":
    main()
