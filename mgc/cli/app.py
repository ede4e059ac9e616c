"""The ``mgc`` command: it puts the command groups together and turns errors into text."""

from __future__ import annotations

import errno
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from mgc import __version__
from mgc.cli.ui import output
from mgc.errors import MgcError, UsageError, in_words
from mgc.plugins.menu import AROUND_IMPORTS, COMMANDS, PLUGINS

STOPPED = 130  # the shell's code for Ctrl-C: 128 + SIGINT
#: The stub of a package's command takes whatever follows its name; the command itself reads it.
ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}
CONTINUING = ("data", "demo", "evaluate", "experiment", "features", "fit", "similar")
#: What to say after Ctrl-C, for commands that keep anything.
AFTER_A_STOP = {
    **dict.fromkeys(CONTINUING, "What was finished is kept: run the same command to continue."),
    "predict": "Answers already printed or written are complete. With -o FILE, the same command "
    "continues.",
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
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed: mgc … >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the process ends
    # Libraries read these when they are loaded. Threads that wait for work spin by default, and on
    # busy cores that takes many times the processor time of the work itself. OpenBLAS, whose calls
    # are small here, has no other way to wait; a single thread always sums in the same order.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    AROUND_IMPORTS.set(lambda: redirect_stdout(sys.stderr))
    with output.libraries_silenced():
        _run()


def _run() -> None:
    asked = next(iter(sys.argv[1:]), "-")
    try:
        _check_words(sys.argv[1:])
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
            said = [AFTER_A_STOP[word] for word in sys.argv if word in AFTER_A_STOP]
            output.note(" ".join(["Stopped.", *said[:1]]))
        raise
    except OSError as error:
        explained = _explained(error)
        _complain(explained)
        sys.exit(explained.exit_code)
    except Exception as error:
        _complain(
            MgcError(
                f"mgc itself failed: {in_words(error)}",
                "Please report it with the output of the same command under MGC_DEBUG=1.",
            )
        )
        sys.exit(1)


def _check_words(words: list[str]) -> None:
    """Refuse what only a mistake in a script gives: an empty word, an unknown home, a NUL or
    half of a surrogate pair."""
    for before, word in zip(["mgc", *words], words, strict=False):
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if not value and (equals or not word):
            what = option or (before if before.startswith("-") else "A path")
            raise UsageError(f"{what} is empty (a variable that is not set?).", "Give it a value.")
        if value.startswith("~") and os.path.expanduser(value) == value:
            user = value[1:].partition("/")[0]
            raise UsageError(f"There is no user {user!r}.", f"A file of that name is: ./{value}")
        if re.search(r"[\0\ud800-\udc7f\udd00-\udfff]", word):
            raise UsageError(f"{word!r:.80} has a character that no file has.", "Leave it out.")


def _menu() -> typer.Typer:
    """The app with all commands. Those of packages, known from their records, are stubs: a package
    is imported when its command is used."""
    from mgc.plugins import command_list

    app = build()
    for info in command_list.package_commands():
        app.command(
            info.name,
            help=info.summary,
            rich_help_panel=info.panel or PLUGINS,
            add_help_option=False,
            context_settings=ANYTHING,
        )(_stub(info.name))
    return app


def _stub(name: str) -> Callable[[], None]:
    def stub() -> None:
        _run_package_command(name)

    return stub


def _run_package_command(name: str) -> None:
    """Import a package's command and let it read the command line.

    Raises MgcError, naming the distribution, if the command cannot be used, or if it fails
    without an explanation of its own.
    """
    from mgc.plugins import registry

    app, entry = build([]), registry.find("command", name)
    loaded = registry.load(entry)
    try:
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name)
        elif inspect.isfunction(loaded):
            app.command(name)(loaded)
        else:
            raise MgcError(
                f"command {name!r} of {entry.distribution} is a {type(loaded).__name__} at "
                f"{entry.info.load!r}, not a typer.Typer or a function",
                f"Run: mgc plugins check {name}",
            )
        app()
    except (MgcError, OSError):
        raise
    except Exception as error:
        raise MgcError(
            f"command {name!r} of {entry.distribution} {entry.version} failed: {in_words(error)}",
            f"Please report it to the authors of {entry.distribution}, with the output of the "
            "same command under MGC_DEBUG=1.",
        ) from error


def _explained(error: OSError) -> MgcError:
    hint = "Set MGC_DEBUG=1 to see where it happened."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
        hint = "Make it writable, free some space, or choose another location with --home."
    if error.errno == errno.ENAMETOOLONG:
        return UsageError(f"No file has a name as long as {error.filename!r:.60}…", "Check it.")
    named = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    return MgcError(named, hint)


def _complain(error: MgcError) -> None:
    if os.environ.get("MGC_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    output.complain(error.message, error.hint)


if __name__ == "__main__":
    main()
