"""Whether the files of a run are as they were written."""

from __future__ import annotations

import json
from pathlib import Path

from mgc.errors import MgcError
from mgc.home import FILES, OWN, Verification, problem_of, read_json, write_json
from mgc.runs import Run, scored_checksums

EMBEDDINGS = "embeddings.safetensors"  # an ensemble keeps none of its members'


def verify(run: Run, *, add: bool = False) -> Verification:
    """Check every file of a run from which numbers are read, its members' too.

    ``add`` gives checksums to the files that lack them, as they are now.
    """
    found = Verification()
    for record in sorted(_records(run)):
        _verify(run.folder, record, found, add)
    return found


def _records(run: Run) -> set[Path]:
    """The record of a run, and those of its heads, members and evaluations: all that it should
    have, if it is finished, and those of folders that are there."""
    there = (
        path for p in ("fold-*/head.json", "evaluations/*.json") for path in run.folder.glob(p)
    )
    found = {run.folder / "run.json", *there}
    if run.finished:
        found |= {run.folder / "members" / name / "run.json" for name in run.record.members}
        folds = max(1, run.record.dataset.folds) if run.kind == "single" else 0
        found |= {run.folder / f"fold-{number}" / "head.json" for number in range(folds)}
    return found | {fold / "head.json" for fold in run.folder.glob("members/*/fold-*")}


def _verify(run: Path, record: Path, found: Verification, add: bool) -> None:
    folder, name = record.parent, record.relative_to(run).as_posix()
    try:
        said = read_json(record)
        own = OWN in json.loads(record.read_bytes())
    except MgcError as error:
        found.damaged.append(error.message)
        return
    listed = said.get(FILES, {})
    inside = "" if folder == run else f"{folder.relative_to(run).as_posix()}/"
    names = [n for n in listed if folder.parent.name != "members" or n != EMBEDDINGS]
    problems = [problem for n in names if (problem := problem_of(folder, n, listed))]
    found.damaged += [inside + problem for problem in problems]
    found.verified += len(names) - len(problems) + own
    missing = {n: now for n, now in _present(record).items() if n not in listed}
    if add and (missing or not own):
        write_json(record, {**said, FILES: {**listed, **missing}})
        found.verified += len(missing) + (not own)
    else:
        found.unverified += [inside + n for n in missing] + [name] * (not own)


def _present(record: Path) -> dict[str, str]:
    """The checksums of the files that a record should hold."""
    if record.name == "head.json":
        from mgc.training.fitted_head import checksums

        return checksums(record.parent)
    return scored_checksums(record.parent)
