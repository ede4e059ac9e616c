"""The ``mgc`` command: it puts the command groups together and turns errors into text."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from mgc import __version__
from mgc.cli.ui import output
from mgc.errors import MgcError
from mgc.plugins.menu import COMMANDS

STOPPED = 130  # the shell's code for Ctrl-C: 128 + SIGINT
#: What to do after Ctrl-C, for commands whose repetition does not continue.
AFTER_A_STOP = {
    "predict": "Answers already printed or written are complete. With -o FILE, the same command "
    "continues."
}


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these of mgc's own commands. Only their modules are imported."""
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
    app.callback()(options)
    for name in names:
        module = import_module(f"mgc.cli.commands.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=COMMANDS[name])
        else:
            app.command(name, rich_help_panel=COMMANDS[name])(getattr(module, name))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mgc {__version__}")
        raise typer.Exit


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
    from mgc.plugins.distributions import name_clash

    if clash := name_clash():
        output.note(clash)


def main() -> None:
    """Run the command line; exit with 0, 1 (failed), 2 (wrong request) or 130 (Ctrl-C)."""
    with output.libraries_silenced():
        _main()


def _main() -> None:
    asked = next(iter(sys.argv[1:]), "-")
    try:
        if asked in COMMANDS:  # if a command comes first, no other is needed
            build([asked])()
        elif asked.startswith("-"):
            _menu()()
        else:
            _run_package_command(asked)
    except MgcError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except SystemExit as left:
        if left.code == STOPPED:  # Typer has caught Ctrl-C
            kept = "What was finished is kept: run the same command to continue. "
            training = "To continue a training: mgc fit --resume RUN (mgc runs list)"
            output.note(f"Stopped. {AFTER_A_STOP.get(asked, kept + training)}")
        raise
    except OSError as error:
        _complain(MgcError(_system(error), _way_out(error)))
        sys.exit(1)
    except Exception as error:
        _complain(
            MgcError(
                f"mgc itself failed: {type(error).__name__}: {error}",
                "Please report it with the output of the same command under MGC_DEBUG=1.",
            )
        )
        sys.exit(1)


def _menu() -> typer.Typer:
    """The app with all commands; those of packages are stubs."""
    from mgc.cli import package_commands

    app = build()
    package_commands.add_stubs(app, _run_package_command)
    return app


def _run_package_command(name: str) -> None:
    from mgc.cli import package_commands

    package_commands.run(name, build([]))


def _way_out(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
        return "Make it writable, free some space, or choose another location with --home."
    return "Set MGC_DEBUG=1 to see where it happened."


def _system(error: OSError) -> str:
    return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)


def _complain(error: MgcError) -> None:
    if os.environ.get("MGC_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    output.complain(error.message, error.hint)


if __name__ == "__main__":
    main()
