"""``mgc predict``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import DataName, Device, Workers
from mgc.cli.ui.output import JsonOption
from mgc.errors import MgcError, UsageError

if TYPE_CHECKING:
    from mgc.prediction.prediction import Prediction
    from mgc.runs import Run


def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Audio.")],
    run: Annotated[
        str | None,
        typer.Option(help="Run, or a label such as 'stacking' (default: see mgc compare, ●)."),
    ] = None,
    data: DataName = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    top: Annotated[int, typer.Option(help="Genres shown per file.", min=1)] = 3,
) -> None:
    """Say which genre each audio file is, and how confident the run is."""
    if as_json and as_csv:
        raise UsageError("Only one of --csv and --json can be printed.", "Choose one.")
    from mgc import resolve
    from mgc.audio.audio_files import collect
    from mgc.prediction.model import Model

    files = collect(paths)
    chosen = _run(run, data)
    model = Model(chosen, resolve.device(device))
    answers = list(model.predict_many(files, workers, progress()))
    done = [answer for answer in answers if not answer.error]
    failures = [answer for answer in answers if answer.error]
    if as_json:
        output.emit_json([_record(p) for p in done] + [_failed(f) for f in failures])
    elif as_csv:
        _write_csv(done, failures, chosen.genres)
    else:
        _show(done, top)
    if failures:
        output.note(f"{output.count(len(failures), 'file')} of {len(files):,} could not be used:")
        output.list_failures([answer.error for answer in failures])
    if not done:
        raise MgcError("No file could be used.", "The reasons are listed above.")


def _run(name: str | None, data: str | None) -> Run:
    """The named run, or the one that answers; stderr says which it is, and why."""
    from mgc import resolve, runs
    from mgc.runs import answering, selection

    if name is not None:
        return selection.one(name, choice.dataset_or_none(data))
    dataset = resolve.dataset_name(data)
    found = answering.answering(runs.everything()[0], dataset)
    if found is None:
        raise MgcError(
            f"There is no finished run on {dataset}.",
            f"Run: mgc fit --extractor mfcc --data {dataset}",
        )
    output.note(f"run: {found.run.name} ({found.run.title} on {dataset}: {found.reason})")
    if data is None and choice.is_demo(dataset):
        output.note(
            f"{dataset} is the demo: its runs know synthesised music only. For your own music: "
            "mgc data add NAME PATH"
        )
    return found.run


def _record(answer: Prediction) -> dict[str, Any]:
    ranked = answer.ranked()
    return {
        "path": str(answer.path),
        "genre": ranked[0][0],
        "probability": ranked[0][1],
        "probabilities": dict(ranked),
    }


def _failed(answer: Prediction) -> dict[str, Any]:
    return {"path": str(answer.path), "genre": None, "error": answer.error}


def _show(done: list[Prediction], top: int) -> None:
    rows = []
    for answer in done:
        ranked = answer.ranked()
        others = ", ".join(f"{genre} {output.percent(p)}" for genre, p in ranked[1:top])
        rows.append((answer.path, ranked[0][0], output.percent(ranked[0][1]), others))
    if rows:
        output.show_table(["file", "genre", "%", "else"], rows, right=["%"])


def _write_csv(done: list[Prediction], failures: list[Prediction], genres: list[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "genre", "probability", *genres, "error"])
    for answer in done:
        ranked = answer.ranked()
        cells = [f"{p:.6f}" for p in answer.probabilities.values()]
        writer.writerow([answer.path, ranked[0][0], f"{ranked[0][1]:.6f}", *cells, ""])
    for answer in failures:
        writer.writerow([answer.path, "", "", *[""] * len(genres), answer.error])
