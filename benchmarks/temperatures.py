"""What a temperature gains in log loss and calibration error: rows of ``benchmarks.accuracy``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import mgc
from benchmarks.gains import pooled_gain
from mgc.runs.calibration_error import Answered, corrected_error
from mgc.strategies.calibration import MIN_PROBABILITY, fit_temperature, tempered

#: Which tracks a fold's temperature is fitted on, and whether each artist counts once.
TEMPERATURES: dict[str, tuple[str, bool] | None] = {
    "no temperature": None,
    "temperature of the validation part": ("validation", False),
    "temperature of the other folds' tracks": ("test", False),
    "temperature of these, each artist once": ("test", True),
}
Answers = tuple[np.ndarray, np.ndarray, np.ndarray]


def answers(run: mgc.Run, asked: tuple[str, bool] | None) -> Answers:
    """Out-of-fold probabilities (track, genre) at a temperature, genre and group numbers (track,),
    in the order of the track ids."""
    test = run.rows("test").reset_index(drop=True)
    group = "group" if "group" in test else "track_id"
    made = run.probabilities(test).copy()
    for fold in test["fold"].unique() if asked else []:
        part, by_artist = asked or ("", False)
        rows = run.rows(part)
        rows = rows[rows["fold"] == fold if part == "validation" else rows["fold"] != fold]
        groups = rows[group].to_numpy() if by_artist else None
        scale = fit_temperature(run.probabilities(rows), run.truth(rows), groups)
        here = (test["fold"] == fold).to_numpy()
        made[here] = tempered(made[here], scale)
    order = np.argsort(test["track_id"].to_numpy())
    numbers = np.unique(test[group].to_numpy()[order], return_inverse=True)[1]
    return made[order], run.truth(test)[order], numbers


def calibration_table(
    title: str, runs: Sequence[Sequence[mgc.Run]], names: Sequence[str], corpora: Sequence[str]
) -> str:
    """Log loss and corrected calibration error on each corpus, and the change of the log loss
    against none with its 95 % interval, as Markdown; ``runs`` are [corpus][seed]."""
    head = [title, *corpora, "log loss", "95 % interval"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    plain = [[answers(run, None) for run in group] for group in runs]
    for name in names:
        made = [[answers(run, TEMPERATURES[name]) for run in group] for group in runs]
        mean, low, high = change(made, plain)
        cells = [name, *map(_figures, made), f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def change(
    made: Sequence[Sequence[Answers]], plain: Sequence[Sequence[Answers]]
) -> tuple[float, float, float]:
    """What log loss gains or loses (below 0: gains), mean over corpora, and its interval."""
    pairs = [
        (
            np.mean([losses(a) - losses(b) for a, b in zip(some, none, strict=True)], axis=0),
            some[0][2],
        )
        for some, none in zip(made, plain, strict=True)
    ]
    return pooled_gain(pairs)


def losses(answered: Answers) -> np.ndarray:
    """-log of the true genre's probability (track,)."""
    probabilities, genres, _ = answered
    return -np.log(np.maximum(probabilities[np.arange(len(genres)), genres], MIN_PROBABILITY))


def _figures(seeds: Sequence[Answers]) -> str:
    asked = [Answered(p.max(1), (p.argmax(1) == y).astype(float), groups) for p, y, groups in seeds]
    error, low, high = corrected_error(asked)
    loss = np.mean([losses(each) for each in seeds])
    return f"{loss:.3f}, {error:.3f} ({low:.2f}–{high:.2f})"
