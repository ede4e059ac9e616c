"""Which runs are meant: by a name, for a comparison, as members of an ensemble.

What is meant without a name depends only on the dataset in use. Which run answers `mgc predict`
is decided in `mgc.runs.answering`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc.errors import MgcError, UsageError
from mgc.home import FILES, bytes_of, home, problem_of, read_json, settle
from mgc.runs import Run, everything, identity, load_finished, names
from mgc.runs.run_files import no_run

RESULTS = "table.json"  # what an experiment writes, with the names of its runs


@dataclass(frozen=True)
class Selection:
    """The runs that are meant, oldest first, and how many are left out, by reason."""

    runs: Sequence[Run]
    left_out: Mapping[str, int]

    def said(self) -> str:
        """What is left out, in one line; "" if nothing is."""
        parts = [f"{count:,} {reason}" for reason, count in self.left_out.items()]
        return f"Left out: {'; '.join(parts)}." if parts else ""


def comparable(
    found: Iterable[Run], dataset: str, folds: int | None = None, every: bool = False
) -> Selection:
    """The newest finished run of each title and seed on a dataset, all of one protocol.

    The protocol is ``folds`` (0: a single split), or that of the newest run. For each seed, only
    the newest division into splits counts. ``every`` also takes older runs and divisions.

    Raises UsageError if the dataset has no such run.
    """
    there = [run for run in found if run.record.dataset.name == dataset]
    finished = [run for run in there if run.finished]
    wanted = [run for run in finished if folds in (None, run.record.dataset.folds)]
    if not wanted:
        raise _nothing(dataset, folds, finished)
    last = wanted[-1]
    splits = {
        run.record.seed: run.record.dataset.split
        for run in wanted
        if _protocol(run) == _protocol(last)
    }
    newest = {
        (run.title, _own_seed(run), _protocol(run), run.record.dataset.split): run
        for run in finished
    }
    reasons = [
        _reason(run, last, splits.get(run.record.seed), run not in newest.values(), every)
        for run in there
    ]
    taken = [run for run, reason in zip(there, reasons, strict=True) if not reason]
    return Selection(taken, Counter(filter(None, reasons)))


def _reason(run: Run, last: Run, split: str | None, older: bool, every: bool) -> str:
    """Why a run is left out, and which option includes it; "" if it is taken."""
    if not run.finished:
        return "unfinished (mgc runs list)"
    if run.record.dataset.folds != last.record.dataset.folds:
        folds = run.record.dataset.folds
        return f"{_division(folds)} (--folds {folds})"
    if run.genres != last.genres:
        return "with other genres (name them)"
    if not every and run.record.dataset.split != split:
        return "with an older division into splits (--all)"
    if not every and older:
        return "older, of the same label and seed (--all)"
    return "of other labels or audio (fit again)" if identity.unlike(last, run) else ""


def _nothing(dataset: str, folds: int | None, finished: Sequence[Run]) -> UsageError:
    if not finished:
        return UsageError(
            f"There is no finished run on {dataset}.",
            f"Run: mgc fit --extractor mfcc --data {dataset}",
        )
    available = sorted({run.record.dataset.folds for run in finished})
    return UsageError(
        f"There is no finished run {_division(folds)} on {dataset}.",
        f"Available: {' or '.join(f'--folds {n}' for n in available)}.",
    )


def _division(folds: int | None) -> str:
    return f"with {folds} folds" if folds else "with a single split"


def _protocol(run: Run) -> tuple[Any, ...]:
    return run.record.dataset.folds, tuple(run.genres)


def _own_seed(run: Run) -> int | None:
    """The seed that a run depends on, if any."""
    return run.record.seed if run.record.seeded else None


def by_seed(found: Sequence[Run]) -> list[list[Run]]:
    """The runs of each seed, with those on the same split that do not depend on it."""
    groups = []
    for seed in dict.fromkeys(run.record.seed for run in found):
        splits = {run.record.dataset.split for run in found if run.record.seed == seed}
        groups.append(
            [
                run
                for run in found
                if run.record.seed == seed
                or (not run.record.seeded and run.record.dataset.split in splits)
            ]
        )
    names = [{run.name for run in group} for group in groups]
    whole = [not any(own < other for other in names) for own in names]
    return [group for group, kept in zip(groups, whole, strict=True) if kept]


def groups_of_members(found: Iterable[Run], dataset: str) -> list[list[Run]]:
    """For each seed, the newest single runs: the members of one ensemble each.

    Raises UsageError if no seed has two of them.
    """
    singles = [
        run
        for run in found
        if run.kind == "single" and run.finished and run.record.dataset.name == dataset
    ]
    taken = comparable(singles, dataset).runs if singles else []
    groups = [members for members in by_seed(taken) if len(members) > 1]
    if not groups:
        count = "no finished run" if not taken else f"only {taken[0].name}"
        raise UsageError(
            f"An ensemble needs at least two runs of one seed; on {dataset} there is {count}.",
            "Fit others: mgc fit --extractor mel --extractor mfcc --extractor chroma",
        )
    return groups


def chosen(wanted: Sequence[str], dataset: str | None = None) -> list[Run]:
    """The finished runs with the given names, each once, in the order given.

    A name is a run's, an experiment's (or its file), or a label: see `one`.

    Raises UsageError for an unknown name, MgcError for a run or experiment without results.
    """
    found = [run for name in wanted for run in experiment_runs(name) or [one(name, dataset)]]
    return list({run.folder: run for run in found}.values())


def one(name: str, dataset: str | None = None) -> Run:
    """The finished run of a name, a folder, or the newest of a label (``stacking``, ``mel · cnn``,
    ``mel``), on ``dataset`` if it is given.

    Raises UsageError that gives the nearest names for one that is unknown or ambiguous.
    """
    if name in names() or (Path(name).expanduser() / "run.json").exists():
        return load_finished(name)
    finished = [run for run in everything()[0] if run.finished]
    labels = {title for run in finished for title in (run.label, run.title)}
    meant = {label for label in labels if _words(label) == _words(name)}
    meant = meant or {label for label in labels if set(_words(name)) < set(_words(label))}
    if len({label.removesuffix(", calibrated") for label in meant}) > 1:
        raise UsageError(f"{name!r} may be {' or '.join(sorted(meant))}.", "Name one of them.")
    fitting = [run for run in finished if {run.label, run.title} & meant]
    if not fitting:
        raise no_run(name, {*names(), *labels}, cutoff=0.5)
    here = [run for run in fitting if dataset in (None, run.record.dataset.name)]
    if not here:
        others = sorted({run.record.dataset.name for run in fitting})
        raise UsageError(
            f"There is no finished run {name!r} on {dataset}.", f"Try: --data {others[0]}"
        )
    return here[-1]


def _words(label: str) -> list[str]:
    return re.split(r"[\s·,]+", label.strip().lower())


def experiment_runs(name: str) -> list[Run]:
    """The runs of an experiment that has results; empty if no experiment has that name."""
    from_file = name.endswith(".toml")
    experiment = _named_in(Path(name)) if from_file else name
    path = home() / "experiments" / experiment / RESULTS
    if not path.exists():
        if not from_file:
            return []
        raise MgcError(
            f"Experiment {experiment!r} has no results yet.", "Run: mgc experiment run FILE.toml"
        )
    try:
        if (sums := path.with_name("checksums.json")).exists():
            said = read_json(sums, "Run the experiment again; done steps stay.")[FILES]
            settle(path.parent, said)
            if problem := problem_of(path.parent, RESULTS, said):
                raise ValueError(problem)
        rows = json.loads(bytes_of(path))
        members = [str(run) for row in rows for run in row["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MgcError(
            f"{path} cannot be read: {error}.", "Run the experiment again; done steps stay."
        ) from error
    return [load_finished(member) for member in members]


def _named_in(path: Path) -> str:
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path} is not an experiment file: {error}.", "See: mgc experiment show FILE.toml"
        ) from error


def titled(found: Sequence[Run]) -> list[tuple[str, Run]]:
    """The name of each run in figures: its title, with the run's name if titles repeat."""
    titles = [run.title for run in found]
    return [
        (name if titles.count(name) == 1 else f"{name} ({run.name})", run)
        for name, run in zip(titles, found, strict=True)
    ]


def repeat_command(run: Run) -> list[str]:
    """The command that made a run, with the dataset named, because the default may have changed."""
    words = list(run.record.command)
    named = any(word == "--data" or word.startswith("--data=") for word in words)
    if words[1:2] in (["fit"], ["ensemble"]) and not named and "--resume" not in words:
        words += ["--data", run.record.dataset.name]
    return words
