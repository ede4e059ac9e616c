"""The checks of a plug-in: runs them one by one, or hands them to pytest."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from mgc.checks.base import Check, NotApplicable, Outcome, Problem, Settings, Subject
from mgc.errors import MgcError, UsageError, in_words, unknown
from mgc.plugins import registry
from mgc.plugins.contract import KINDS
from mgc.plugins.distributions import owner_of, package_of


def subjects(name: str, settings: Settings | None = None, variant: str = "") -> list[Subject]:
    """What a name stands for: a plug-in, or everything that a distribution provides.

    Raises MgcError if nothing has that name, or if it cannot be used.
    """
    catalogue = registry.catalogue()
    found = [e for kind in KINDS for e in catalogue.entries(kind) if e.info.name == name]
    return [
        Subject(catalogue.find(entry.kind, entry.info.name), settings or {}, variant)
        for entry in found or _of_distribution(name, catalogue)
    ]


def _of_distribution(name: str, catalogue: registry.Catalogue) -> list[registry.Entry]:
    owner = owner_of(name)
    found = [plugin for plugin in catalogue.plugins if plugin.distribution == owner]
    for plugin in found:
        if plugin.problem:
            raise MgcError(f"Plug-in {name}: {plugin.problem}.", plugin.hint)
    if not found:
        known = {entry.info.name for kind in KINDS for entry in catalogue.entries(kind)}
        known |= {package_of(plugin.distribution) for plugin in catalogue.plugins}
        raise unknown("plug-in", name, known, "mgc plugins list")
    return [entry for plugin in found for entry in plugin.entries]


def checks(subject: Subject) -> Iterator[Check]:
    """All checks of a subject, cheap ones first; none runs before it is called."""
    for function in _functions(subject):
        name = function.__name__.removeprefix("check_").replace("_", "-")
        title = (function.__doc__ or name).partition("\n")[0].rstrip(".")
        yield Check(name, title, partial(function, subject))


def _functions(subject: Subject) -> Iterator[Callable[[Subject], None]]:
    """The checks of a kind of plug-in; the modules for other kinds, and torch, are not imported."""
    info = subject.info
    modules = ["declaration", "declared_class"]
    if subject.entry.kind in ("command", "model"):
        code = "typer_commands" if subject.entry.kind == "command" else "model_functions"
        modules = ["declaration", code]
    elif subject.entry.kind == "head":
        modules.append("torch_heads" if info.trained_by == "gradient" else "sklearn_heads")
    elif subject.entry.kind == "extractor":
        modules += ["feature_extractors", "text_embeddings"]
    else:
        learning = [] if info.learns == "nothing" else ["learning_strategies"]
        modules += ["combining_strategies", *learning]
    for module in modules:
        for name, function in vars(import_module(f"mgc.checks.{module}")).items():
            if name.startswith("check_"):
                yield function


def verdicts(subject: Subject, only: str = "") -> Iterator[Outcome]:
    """Run every check (whose name contains ``only``) and yield its outcome; none stops the rest.

    Raises UsageError if ``only`` matches none.
    """
    chosen = [check for check in checks(subject) if only in check.name]
    if not chosen:
        names = ", ".join(check.name for check in checks(subject))
        raise UsageError(
            f"No check of {subject.info.name!r} contains {only!r}.", f"Checks: {names}"
        )
    for check in chosen:
        yield _verdict(subject, check)


def _verdict(subject: Subject, check: Check) -> Outcome:
    facts = (subject.info.name, subject.entry.kind, check.name, check.title)
    try:
        check()
    except NotApplicable as reason:
        return Outcome(*facts, "skipped", reason=str(reason))
    except Problem as found:
        return Outcome(*facts, "failed", expected=found.expected, got=found.got, mend=found.mend)
    except Exception as error:  # third-party code may raise anything
        raised = traceback.extract_tb(error.__traceback__)[-1]
        got = f"{in_words(error)} ({raised.filename}:{raised.lineno})"
        mend = "Make this line work; the traceback: run the check under pytest."
        mend = getattr(error, "hint", "") or mend
        return Outcome(*facts, "failed", expected="no error", got=got, mend=mend)
    return Outcome(*facts, "passed")


def parametrize(*names: str, settings: Settings | None = None, variant: str = "") -> Any:
    """A pytest decorator: one test for each check of the plug-ins; the test calls ``check()``.

    See `mgc.checks.base.Subject` for ``settings`` and ``variant``.
    """
    import pytest

    made = [
        pytest.param(replace(check, run=partial(_pytest, check)), id=f"{name}-{check.name}")
        for name in names
        for subject in subjects(name, settings, variant)
        for check in checks(subject)
    ]
    return pytest.mark.parametrize("check", made)


def _pytest(check: Check) -> None:
    import pytest

    __tracebackhide__ = True
    try:
        check()
    except NotApplicable as reason:
        pytest.skip(str(reason))
