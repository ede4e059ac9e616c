"""``mgc runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli.ui import choice, output, verification

if TYPE_CHECKING:
    from mgc.runs import Run

app = typer.Typer(no_args_is_help=True, help="Runs: what was trained, and how good it is.")


@app.command("list")
def list_runs(as_json: output.JsonOption = False) -> None:
    """List the runs, oldest first."""
    rows = [_row(run) for run in choice.all_runs()]
    if as_json:
        output.emit_json(rows)
    elif rows:
        cells = [
            {
                "run": r["name"],
                "what": r["label"],
                "dataset": r["dataset"],
                "folds": r["folds"] or "split",
                "seed": r["seed"],
                "state": r["state"],
                "accuracy %": "" if r["accuracy"] is None else output.percent(r["accuracy"]),
                "created": r["created"][:16],
            }
            for r in rows
        ]
        output.show_records(cells, "llllrlrl")
    else:
        output.say("There are no runs yet. Run: mgc fit --extractor mfcc")


def _row(run: Run) -> dict[str, Any]:
    from mgc.runs.state import state

    record = run.record
    return {
        "name": run.name,
        "kind": run.kind,
        "label": run.label,
        "dataset": record.dataset.name,
        "folds": record.dataset.folds,
        "seed": record.seed,
        "state": state(run),
        "accuracy": record.metrics["test"]["accuracy"] if "test" in record.metrics else None,
        "created": record.created,
        "folder": str(run.folder),
    }


@app.command("show")
def show(name: str, as_json: output.JsonOption = False) -> None:
    """Show a run: figures, genres, and how to repeat it."""
    import shlex

    from mgc import runs
    from mgc.runs import selection, state

    run = runs.load(name)
    if as_json:
        output.emit_json(dict(run.record))
        return
    output.say(f"{run.name}: {run.label} on {run.record.dataset.name}, {state.state(run)}")
    if run.finished:
        choice.say_doubts([run])
        _show_figures(run)
    if "validation" in run.record.learns:
        output.say(
            "learnt from: training and validation tracks; a first fit, on the training tracks "
            "alone, answered the validation tracks"
        )
    output.say(f"folder: {run.folder}")
    command = selection.repeat_command(run)
    if command:
        output.say(f"to repeat: {shlex.join(command)}")
    made = run.record.environment
    output.note("made with: " + ", ".join(f"{name} {version}" for name, version in made.items()))


def _show_figures(run: Run) -> None:
    """The figures of each part, and those of the test part by genre."""
    from mgc.evaluation.compare_text import ece, interval
    from mgc.runs.calibration_error import calibration_of_run

    for part, figures in run.scores.items():
        output.say(
            f"{part}: accuracy {output.percent(figures['accuracy'])} % "
            f"({interval(figures)}), macro F1 {figures['f1']:.3f}, "
            f"NLL {figures['nll']:.3f}, ECE {ece(calibration_of_run(run, part))}, "
            f"{output.count(figures['tracks'], 'track')}"
        )
    by_genre = run.scores["test"]["by_genre"]
    rows = [
        (genre, f"{f['precision']:.2f}", f"{f['recall']:.2f}", f"{f['f1']:.2f}", f["tracks"])
        for genre, f in by_genre.items()
    ]
    columns = ["genre (test)", "precision", "recall", "F1", "tracks"]
    output.show_table(columns, rows, "lr")


@app.command("verify")
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs (default: all).")
    ] = None,
    add: verification.AddOption = False,
    as_json: output.JsonOption = False,
) -> None:
    """Check that the files of runs are as they were written."""
    from mgc import runs
    from mgc.home import Verification
    from mgc.runs.run_verification import verify as verified

    chosen, errors = ([runs.load(name) for name in names], []) if names else runs.everything()
    found = [(run.name, verified(run, add=add)) for run in chosen]
    found += [("?", Verification(damaged=[error.message])) for error in errors]
    remedy = "Fit a damaged run again, after: mgc runs remove RUN"
    verification.show("run", found, remedy, as_json)


@app.command("remove")
def remove(names: list[str]) -> None:
    """Delete runs."""
    from mgc import runs

    for name in names:
        runs.remove(name)
        output.say(f"Removed {name}.")
