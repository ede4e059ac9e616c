"""``mgc evaluate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import Device, existing
from mgc.evaluation.compare_text import ece, interval

if TYPE_CHECKING:
    from mgc.evaluation.evaluate import Evaluation


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run, or a label such as 'stacking'.")],
    data: Annotated[
        str, typer.Option("--data", metavar="NAME", help="The other dataset (mgc data list).")
    ],
    genre_map: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help='Which genre is which: under [genres], lines such as "Hip-Hop/Rap" = "hiphop".',
            callback=existing,
        ),
    ] = None,
    device: Device = "auto",
    as_json: output.JsonOption = False,
) -> None:
    """Score a run on another dataset: how good it is on music from elsewhere."""
    from mgc import resolve
    from mgc.datasets.genre_map import read_genre_map
    from mgc.prediction import ready_models
    from mgc.runs import PREDICTIONS, pretraining, selection

    resolve.dataset_name(data)
    given = read_genre_map(genre_map) if genre_map is not None else None
    found = ready_models.find(run) or selection.one(run)
    from mgc.evaluation.evaluate import evaluate as evaluated
    from mgc.runs.calibration_error import calibration_of_run

    where, dataset = resolve.device(device), resolve.dataset(data)
    made = evaluated(found, dataset, given, device=where, progress=progress())
    for line in pretraining.notes([found], data, dataset.record.get("importer", "")):
        output.note(line)
    if as_json:
        output.emit_json(made.as_dict())
        return
    figures = made.figures
    groups = "" if made.unit == "tracks" else f" by {output.count(made.groups, made.unit[:-1])}"
    output.say(
        f"{made.run} on {made.dataset}: accuracy {output.percent(figures['accuracy'])} % "
        f"({interval(figures)}), macro F1 {figures['f1']:.3f}, ECE {ece(figures)}, "
        f"{output.count(figures['tracks'], 'track')}{groups}"
    )
    if (found.folder / PREDICTIONS).exists():
        own = found.scores["test"]
        output.say(
            f"On its own test tracks ({found.record.dataset.name}): "
            f"{output.percent(own['accuracy'])} %, F1 {own['f1']:.3f}, "
            f"ECE {ece(calibration_of_run(found))}"
        )
    _show(made)


def _show(made: Evaluation) -> None:
    """Print sets, figures by genre, and what they leave out."""
    if made.sets is not None:
        output.say(
            f"Sets at {100 * made.sets['coverage']:g} %: they hold the true genre of "
            f"{output.percent(made.sets['share'])} % ({interval(made.sets, 'share')}) of the "
            f"tracks, with {made.sets['size']:.1f} genres each"
        )
    else:
        output.note(f"No sets: {made.no_sets.rstrip('.')}.")
    _show_genres(made)
    for line in _left_out(made):
        output.note(line)
    output.list_failures([failure["reason"] for failure in made.failures])


def _show_genres(made: Evaluation) -> None:
    sets = made.sets["by_genre"] if made.sets is not None else {}
    rows = []
    for genre, figures in made.figures["by_genre"].items():
        if not figures["tracks"]:
            continue
        own = [f"{figures[name]:.2f}" for name in ("precision", "recall", "f1")]
        if made.sets is not None:
            held = sets.get(genre)
            own += [output.percent(held["share"]), f"{held['size']:.1f}"] if held else ["–", "–"]
        theirs = [name for name, ours in made.genres.items() if ours == genre]
        rows.append([genre, ", ".join(theirs), *own, figures["tracks"]])
    columns = ["genre", "there", "precision", "recall", "F1"]
    columns += ["in set %", "set size"] if made.sets is not None else []
    output.show_table([*columns, "tracks"], rows, "llr")


def _left_out(made: Evaluation) -> Iterator[str]:
    """What the figures do not cover, a line each."""
    if made.without_counterpart:
        tracks = output.count(sum(made.without_counterpart.values()), "track")
        named = ", ".join(f"{genre} ({n:,})" for genre, n in made.without_counterpart.items())
        yield f"Left out: {tracks} of genres that the run does not have: {named}."
    if made.without_tracks:
        yield (
            f"{made.dataset} has no track of {', '.join(made.without_tracks)}, which the run may "
            "answer all the same."
        )
    if made.heard_before:
        tracks = output.count(made.heard_before, "track")
        yield f"Heard before: {tracks} of {made.dataset} are among those the run was fitted on" + (
            f"; {made.learnt:,} that all its models learnt from are left out."
            if made.learnt
            else ", and are answered by the folds that did not learn from them."
        )
    if made.not_told is None:
        yield f"Not checked: whether {made.run} was fitted on any of these tracks."
    if made.not_told:
        yield (
            f"Not checked: {output.count(made.not_told, 'file')} of the run's own are not here any "
            "more, and may be among these tracks."
        )
    if made.quarantined:
        yield f"In quarantine: {output.count(sum(made.quarantined.values()), 'track')}."
    if made.failures:
        yield f"{output.count(len(made.failures), 'file')} could not be used:"
