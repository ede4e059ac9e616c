"""How commands say which runs they took, which they left out, and which one answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mgc.cli.ui import output
from mgc.errors import MgcError, UsageError, unknown
from mgc.evaluation import compare_text

if TYPE_CHECKING:
    from mgc.runs import Run
    from mgc.runs.answering import Choice
    from mgc.runs.selection import Selection

ANSWERS = "●"  # marks the run that `mgc predict` takes


def selected(
    names: Sequence[str], data: str | None, folds: int | None, every: bool, reference: str | None
) -> Selection:
    """The named runs, or those of the dataset; reports what is left out.

    Raises UsageError for an unknown name or reference, for a choice among named runs, or if there
    is no run.
    """
    from mgc import resolve
    from mgc.runs import selection

    if names:
        if folds is not None or every:
            raise UsageError(
                "--folds and --all cannot be combined with named runs.",
                "Name no runs, or leave these options out.",
            )
        found = selection.chosen(names, dataset_or_none(data))
        check_dataset(found, data)
        _check_reference(reference, found)
        return selection.Selection(found, {})
    dataset, found = resolve.dataset_name(data), all_runs()
    if there := [run for run in found if run.record.dataset.name == dataset]:
        _check_reference(reference, there)  # before their predictions are read
    taken = selection.comparable(found, dataset, folds, every)
    _check_reference(reference, taken.runs)
    if taken.left_out:
        output.note(taken.said())
    return taken


def one_by_one(jobs: Sequence[tuple[str, Callable[[], Run]]]) -> tuple[list[Run], int]:
    """Make runs one after the other: the runs, and how many could not be made.

    What fails is reported, and the others go on. Raises the error if it is the only one, and an
    MgcError if nothing succeeds.
    """
    done: list[Run] = []
    errors: list[MgcError] = []
    for name, make in jobs:
        try:
            done.append(make())
        except MgcError as error:
            if len(jobs) == 1:
                raise
            errors.append(error)
            output.note(f"{name}: {error.message} {error.hint}")
    if errors and not done:
        raise type(errors[0])(
            f"None of {output.count(len(jobs), 'run')} could be made.",
            "The reasons are listed above.",
        )
    return done, len(errors)


def end_with(failed: int, of: int) -> None:
    """Raise MgcError if some runs could not be made."""
    if failed:
        raise MgcError(
            f"{failed} of {output.count(of, 'run')} could not be made.",
            "The reasons are listed above.",
        )


def say_doubts(found: Sequence[Run]) -> None:
    """Report what of these runs could not be checked, does not match, was heard before, or may not
    be used commercially."""
    from mgc.runs import identity, pretraining

    for doubt in [*identity.doubts(found), *pretraining.notes(found)]:
        output.note(doubt)


def check_dataset(found: Sequence[Run], data: str | None) -> None:
    """Raise UsageError if a named run is not on the dataset that is also named."""
    for run in found:
        if data not in (None, run.record.dataset.name):
            raise UsageError(
                f"Run {run.name!r} is on {run.record.dataset.name!r}, not on {data!r}.",
                "Name another run or dataset: mgc runs list",
            )


def _check_reference(name: str | None, found: Sequence[Run]) -> None:
    """Raise UsageError if no run has that title or name."""
    titles = {run.title for run in found}
    names = {each for run in found for each in (run.name, f"{run.title} ({run.name})")}
    if name is not None and name not in titles | names:
        raise unknown("compared system", name, titles, "mgc compare")


def all_runs() -> list[Run]:
    """All runs, oldest first; reports those that cannot be read."""
    from mgc import runs

    found, errors = runs.everything()
    for error in errors:
        output.note(f"{error.message} {error.hint}")
    return found


def dataset_or_none(data: str | None) -> str | None:
    """The dataset in use; None if none is named and there is no default."""
    from mgc import resolve

    try:
        return resolve.dataset_name(data)
    except UsageError:
        if data is not None:
            raise
        return None


def is_demo(dataset: str) -> bool:
    """Whether a dataset is the synthesised one."""
    from mgc.datasets import table

    return any(d["name"] == dataset and d.get("importer") == "demo" for d in table.records()[0])


def answering(dataset: str) -> Choice | None:
    """The run that `mgc predict` takes on a dataset; None if that cannot be told."""
    from mgc import runs
    from mgc.runs import answering

    try:
        return answering.answering(runs.everything()[0], dataset)
    except MgcError as error:
        output.note(f"{error.message} {error.hint}")
        return None


def marked(names: Sequence[str], answer: Choice | None) -> str:
    """Names of runs, one per line, with the mark at the one that answers."""
    chosen = answer.run.name if answer else None
    return "\n".join(f"{name} {ANSWERS}" if name == chosen else name for name in names)


def explain(answer: Choice | None, shown: Sequence[str]) -> None:
    """The footnote to the mark: which run answers, and why."""
    if answer is not None:
        name = answer.run.name
        outside = "" if name in shown else ", which is not in this table"
        output.note(f"{ANSWERS} mgc predict takes {name}{outside}: {answer.reason}")


def say_next(dataset: str) -> None:
    """What to do once there are runs on a dataset."""
    found = answering(dataset)
    run = found.run.name if found else "RUN"
    output.note(f"Next: mgc compare --data {dataset}, or: mgc predict FILE_OR_FOLDER --run {run}")


def test_figures(run: Run) -> dict[str, object]:
    """The columns of a run's name and its main figures on the test tracks."""
    test = run.scores["test"]
    return {
        "run": run.name,
        "accuracy %": output.percent(test["accuracy"]),
        "95 % interval": compare_text.interval(test),
        "macro F1": f"{test['f1']:.3f}",
    }
