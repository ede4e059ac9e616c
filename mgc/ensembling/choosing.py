"""Which runs are meant where none is named: the newest of each kind, and of one protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mgc.errors import UsageError
from mgc.runs import Run


def title(run: Run) -> str:
    """What a table calls a run: ``mel · cnn``, or the strategy, and whether it is calibrated."""
    if run.kind == "ensemble" and run.record["strategy"].get("calibrate"):
        return f"{run.label}, calibrated"
    return run.label


def latest(found: Iterable[Run], dataset: str) -> list[Run]:
    """The newest finished run of each title and seed on a dataset, oldest first.

    Only runs of the newest one's protocol (its number of folds; for each seed, its division into
    splits), so that all of them can be put side by side. ``found`` is oldest first.
    """
    there = [run for run in found if run.finished and run.record["dataset"]["name"] == dataset]
    if not there:
        return []
    protocol = _protocol(there[-1])
    there = [run for run in there if _protocol(run) == protocol]
    splits = {run.record.get("seed"): run.record["dataset"].get("split") for run in there}
    newest = {
        (title(run), run.record.get("seed")): run
        for run in there
        if run.record["dataset"].get("split") == splits[run.record.get("seed")]
    }
    return sorted(newest.values(), key=there.index)


def _protocol(run: Run) -> tuple[Any, ...]:
    return run.record["dataset"].get("folds"), tuple(run.genres)


def groups_of_members(found: Sequence[Run], dataset: str) -> list[list[Run]]:
    """For each seed, the newest single runs: the members of one ensemble each.

    Raises UsageError where no seed has two.
    """
    singles = latest([run for run in found if run.kind == "single"], dataset)
    by_seed: dict[Any, list[Run]] = {}
    for run in singles:
        by_seed.setdefault(run.record.get("seed"), []).append(run)
    groups = [members for members in by_seed.values() if len(members) > 1]
    if not groups:
        count = "no finished run" if not singles else f"only {singles[0].name}"
        raise UsageError(
            f"An ensemble needs at least two runs of one seed; on {dataset} there is {count}.",
            "Fit others: mgc fit --extractor mel --extractor mfcc --extractor chroma",
        )
    return groups
