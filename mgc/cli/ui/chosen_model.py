"""The model that answers: the run that was named, the one that answers for its dataset, or a
ready-made one. It is said on stderr which one that is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgc.cli.ui import choice, output
from mgc.errors import MgcError

if TYPE_CHECKING:
    from mgc.prediction.model import Model
    from mgc.runs import Run


def answering_model(run: str | None, data: str | None, device: str) -> Model:
    """The model of a run by name or label, or else of the run that answers for the dataset."""
    from mgc.plugins import plugin_process

    chosen = _run(run, data)
    plugin_process.start_ahead("head", [chosen.record.head.name], "mgc.prediction.head_apart")
    from mgc import resolve
    from mgc.prediction.model import Model

    return Model(chosen, resolve.device(device))


def _run(name: str | None, data: str | None) -> Run:
    """The named run, or the one that answers; stderr says which it is, and why."""
    from mgc import resolve, runs
    from mgc.prediction import ready_models
    from mgc.runs import answering, selection

    if name is not None:
        found = ready_models.find(name) or selection.one(name, choice.dataset_or_none(data))
        choice.check_dataset([found], data)
        return found
    if data is None and not runs.names():
        return _ready_made()
    dataset = resolve.dataset_name(data)
    answer = answering.answering(runs.everything()[0], dataset)
    if answer is None:
        raise MgcError(
            f"There is no finished run on {dataset}.",
            f"Run: mgc fit --extractor mfcc --data {dataset}",
        )
    output.note(f"run: {answer.run.name} ({answer.run.title} on {dataset}: {answer.reason})")
    if data is None and choice.is_demo(dataset):
        output.note(
            f"{dataset} is the demo: its runs know synthesised music only. For your own music: "
            "mgc data add NAME PATH"
        )
    return answer.run


def _ready_made() -> Run:
    """A ready-made model. Raises MgcError, saying how to get one, if none is here."""
    from mgc.prediction import ready_models

    if found := ready_models.first():
        output.note(f"run: {found.name} (ready-made: nothing has been trained here)")
        return found
    names = [info.name for info in ready_models.declared()]
    get = f"mgc models get {(names or ['musicnn-msd'])[0]}"
    install = "" if names else "pip install mgc-musicnn; "
    raise MgcError(
        "Nothing has been trained here.",
        f"For a ready-made model: {install}{get}. To train your own: mgc fit --extractor mfcc",
    )
