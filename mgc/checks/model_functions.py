"""Checks of a ready-made model: the function that writes it, and what it wrote here."""

from __future__ import annotations

import inspect

from mgc import runs
from mgc.checks import require
from mgc.checks.base import NotApplicable, Problem, Subject
from mgc.home import model_folder
from mgc.runs import models
from mgc.training.fitted_head import restore_head


def check_function_loads(subject: Subject) -> None:
    """A function that takes a folder and a source is behind the record."""
    wanted = f"a function (folder, source) at {subject.info.load!r}"
    found = require.loaded(subject, wanted)
    try:
        inspect.signature(found).bind("folder", None)
    except TypeError as error:
        mend = "write def NAME(folder: Path, source: Path | None) -> None:"
        raise Problem(wanted, f"{found!r}: {error}", mend) from error


def check_origin(subject: Subject) -> None:
    """Its licence and what it was trained on are said."""
    for field in ("licence", "pretrained_on"):
        if not getattr(subject.info, field):
            mend = f"say it in {field}=…: it is shown, and copied into runs"
            raise Problem(f"{field} of the weights", "nothing", mend)


def check_written_run(subject: Subject) -> None:
    """The run that it wrote here has the declared genres, and can be restored."""
    folder = model_folder(subject.info.name)
    if not folder.is_dir():
        raise NotApplicable(f"it is not here; run: mgc models get {subject.info.name}")
    run = runs.load_finished(str(folder))
    if tuple(run.genres) != subject.info.genres:
        mend = "declare the genres of the run, in its order, and get it again"
        raise Problem(f"the genres {subject.info.genres}", f"{run.genres}", mend)
    models.load_source(run)
    for one in models.model_folders(run):
        restore_head(one, "cpu")
