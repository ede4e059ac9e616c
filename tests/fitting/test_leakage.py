"""With labels shuffled nothing can be learnt: what still beats chance has seen the answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mgc import runs
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.strategies.regression import Stacking, StackingParams
from tests.ensembling.members import GENRES, World, accuracy, single, world

CHANCE = 1 / len(GENRES)
REPEATS = 4
MEMBERS = 3


def shuffled(folds: int, seed: int) -> tuple[World, list[runs.Run]]:
    """Members trained for real, on features of the tracks, with labels that mean nothing."""
    made = world(tracks=240, artists=80, folds=folds, seed=seed)
    generator = np.random.default_rng(seed)
    names = made.table["track_id"].unique()
    labels = dict(zip(names, generator.permutation(np.resize(GENRES, len(names))), strict=True))
    made = World(made.table.assign(genre=made.table["track_id"].map(labels)))
    members = []
    for number in range(MEMBERS):
        views = {name: generator.normal(size=20) for name in names}
        features = np.stack([views[name] for name in made.table["track_id"]])
        members.append(single(made, _trained(made, features), f"view{number}", embeddings=features))
    return made, members


def _trained(made: World, features: np.ndarray) -> np.ndarray:
    probabilities = np.empty((len(features), len(GENRES)))
    for fold in made.table["fold"].unique():
        inside = (made.table["fold"] == fold).to_numpy()
        training = inside & made.where("training")
        model = LogisticRegression().fit(features[training], made.truth[training])
        probabilities[inside] = model.predict_proba(features[inside])
    return probabilities


@pytest.mark.parametrize(
    ("folds", "learn_from"), [(1, "validation"), (4, "validation"), (4, "out-of-fold")]
)
def test_shuffled_labels_leave_chance(mgc_home: Path, folds: int, learn_from: str) -> None:
    names = ["stacking", "greedy", "weighted", "best-subset", "embeddings"]
    found: dict[str, list[float]] = {name: [] for name in names}
    tracks = 0
    for seed in range(REPEATS):
        _, members = shuffled(folds, seed)
        for name in names:
            request = EnsembleRequest(
                StrategySpec(name), calibrate=folds == 1, learn_from=learn_from
            )  # type: ignore[arg-type]
            run = ensemble(request, members)
            found[name].append(accuracy(run))
            tracks = run.record["metrics"]["test"]["tracks"]
        assert accuracy(members[0], "validation") < 0.5
    # Four standard errors of the mean of so many independent tracks.
    bound = 4 * np.sqrt(CHANCE * (1 - CHANCE) / (tracks * REPEATS))
    for name, values in found.items():
        assert abs(np.mean(values) - CHANCE) < bound, (name, values)


def test_the_test_would_notice(mgc_home: Path) -> None:
    """The same members, and a meta-model that is shown the scored tracks: far above chance."""
    made, members = shuffled(5, seed=0)
    test = made.where("test")
    given = np.stack([m.probabilities(m.predictions)[test] for m in members])
    truth = made.truth[test]
    leaky = Stacking(StackingParams(penalty=0.1), 0).fit(given, truth, truth, len(GENRES))
    assert (leaky.combine(given).argmax(1) == truth).mean() > CHANCE + 0.07
    training = made.where("training")
    learnt = members[0].probabilities(members[0].predictions)[training].argmax(1)
    assert (learnt == made.truth[training]).mean() > CHANCE + 0.15
