"""An ensemble's answers for new tracks: its members' answers, combined as learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgc.ensembling.combination import Combination, StrategySpec, restore
from mgc.plugins import registry
from mgc.runs import Run


def strategy_folder(run: Run, fold: int) -> Path:
    """Where the strategy of a fold is kept."""
    return run.folder / "strategy" / f"fold-{fold}"


def apply_ensemble(
    run: Run, answers: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]
) -> np.ndarray:
    """An ensemble's probabilities (track, genre) for new tracks.

    ``answers[member][fold]`` is the output of that member's model for that fold: probabilities
    (track, genre) and embeddings (track, dimension). Each fold's models are combined by the
    strategy fitted for that fold; the answer is the mean over folds.
    """
    combined = []
    for number, made in enumerate(load_combinations(run)):
        pairs = [folds[number] for folds in answers]
        probabilities = np.stack([np.asarray(p, np.float64) for p, _ in pairs])
        combined.append(made(probabilities, [embedding for _, embedding in pairs]))
    mean: np.ndarray = np.mean(combined, axis=0)
    return mean


def load_combinations(run: Run) -> list[Combination]:
    """What an ensemble learnt: one combination per fold.

    Raises MgcError, naming the distribution to install, if the strategy's plug-in is missing.
    """
    asked = run.record.strategy
    registry.find_recorded("strategy", vars(asked), f"Run {run.name!r}")
    spec = StrategySpec(asked.name, asked.params)
    return [restore(spec, folder, run.record.seed or 0) for folder in _strategy_folders(run)]


def _strategy_folders(run: Run) -> list[Path]:
    found = (run.folder / "strategy").glob("fold-*")
    return sorted(found, key=lambda path: int(path.name.partition("-")[2]))
