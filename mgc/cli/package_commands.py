"""Commands that installed packages bring: listed from their records, imported when used."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer

from mgc.errors import MgcError
from mgc.plugins import command_list, menu

#: A stub takes whatever follows its name; the command itself reads it.
ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}


def add_stubs(app: typer.Typer, run: Callable[[str], None]) -> None:
    """Add a stub for each package's command to the help; it calls ``run`` with its name."""
    for info in command_list.package_commands():
        app.command(
            info.name,
            help=info.summary,
            rich_help_panel=info.panel or menu.PLUGINS,
            add_help_option=False,
            context_settings=ANYTHING,
        )(_stub(info.name, run))


def _stub(name: str, run: Callable[[str], None]) -> Callable[[], None]:
    def stub() -> None:
        run(name)

    return stub


def run(name: str, app: typer.Typer) -> None:
    """Import a package's command, add it to ``app``, and let that read the command line.

    Raises MgcError, naming the distribution, if the command cannot be used, or if it fails
    without an explanation of its own.
    """
    from mgc.plugins import registry

    entry = registry.find("command", name)
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
            f"command {name!r} of {entry.distribution} {entry.version} failed: "
            f"{type(error).__name__}: {error}",
            f"Please report it to the authors of {entry.distribution}, with the output of the "
            "same command under MGC_DEBUG=1.",
        ) from error
