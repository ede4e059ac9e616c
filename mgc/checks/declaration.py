"""Checks of what every plug-in declares, whatever its kind."""

from __future__ import annotations

from mgc.checks import subprocess_probe
from mgc.checks.base import Problem, Subject


def check_summary(subject: Subject) -> None:
    """The summary is one short line."""
    summary = subject.info.summary
    if not summary.strip() or "\n" in summary or len(summary) > 120:
        raise Problem(
            "a summary of one line, at most 120 characters",
            repr(summary),
            "say in summary=… what it is; `mgc … list` shows it",
        )


def check_install_hint(subject: Subject) -> None:
    """It says how to install what it requires."""
    if subject.info.requires and not subject.info.install:
        raise Problem(
            f"install='pip install …' beside requires={subject.info.requires!r}",
            "no install=…",
            "name the command that installs what is required; the error for a user who lacks it "
            "shows it",
        )


def check_declaration_is_light(subject: Subject) -> None:
    """Listing the plug-in imports nothing heavy."""
    heavy = subprocess_probe.heavy_imports(subject.module)
    if heavy:
        raise Problem(
            f"importing {subject.module} loads none of {', '.join(subprocess_probe.HEAVY)}",
            f"it loads {', '.join(heavy)}",
            f"declare in {subject.module} with nothing but `from mgc import …`; keep the code, and "
            f'its imports, in the module that load="{subject.info.load}" names',
        )
