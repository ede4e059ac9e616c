"""The strategies that learn: what they learn, and that they learn no more than there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mgc.strategies.calibration import logits, softmax
from mgc.strategies.regression import (
    Embeddings,
    EmbeddingsParams,
    Stacking,
    StackingParams,
    fit_softmax,
)
from mgc.strategies.weights import (
    BestSubset,
    BestSubsetParams,
    Greedy,
    GreedyParams,
    Weighted,
    WeightedParams,
    select,
    subsets,
)

BY_PROBABILITY: list[Any] = [Weighted, Greedy, BestSubset, Stacking]
GENRES = 4


def heard(
    accuracies: tuple[float, ...], tracks: int = 300, seed: int = 0, sharpness: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (member, track, genre) of members right so often, and the true genres."""
    generator = np.random.default_rng(seed)
    genres = generator.integers(GENRES, size=tracks)
    members = []
    for accuracy in accuracies:
        wrong = (genres + generator.integers(1, GENRES, tracks)) % GENRES
        said = np.where(generator.random(tracks) < accuracy, genres, wrong)
        scores = generator.normal(0, 0.3, (tracks, GENRES))
        scores[np.arange(tracks), said] += sharpness
        members.append(softmax(scores))
    return np.stack(members), genres


def fitted(cls: Any, members: Any, genres: np.ndarray, groups: np.ndarray | None = None) -> Any:
    groups = np.arange(len(genres)) if groups is None else groups
    return cls(cls.Params(), 0).fit(members, genres, groups, GENRES)


def accuracy(answer: np.ndarray, genres: np.ndarray) -> float:
    return float((answer.argmax(1) == genres).mean())


@pytest.mark.parametrize("cls", BY_PROBABILITY)
def test_a_useless_member_loses_its_say(cls: Any) -> None:
    """One good member, two that guess: at least the good one's accuracy, above the mean's."""
    learning, test = heard((0.8, 0.25, 0.25)), heard((0.8, 0.25, 0.25), seed=1)
    answer = fitted(cls, *learning).combine(test[0])
    mean = accuracy(test[0].mean(0), test[1])
    best = accuracy(test[0][0], test[1])
    assert mean < best - 0.05
    assert accuracy(answer, test[1]) >= best - 0.02


@pytest.mark.parametrize("cls", BY_PROBABILITY)
def test_identical_members_decide_as_the_member(cls: Any) -> None:
    members, genres = heard((0.7,), tracks=200)
    three = np.repeat(members, 3, axis=0)
    answer = fitted(cls, three, genres).combine(three)
    if cls is Stacking:  # it may learn that some genres were guessed too rarely
        assert (answer.argmax(1) == members[0].argmax(1)).mean() > 0.95
    else:
        np.testing.assert_allclose(answer, members[0], atol=1e-9)


@pytest.mark.parametrize("cls", [*BY_PROBABILITY, Embeddings])
def test_state_restores_the_strategy(cls: Any) -> None:
    members, genres = heard((0.7, 0.5))
    given: Any = [logits(m) for m in members] if cls is Embeddings else members
    made = fitted(cls, given, genres)
    again = cls(cls.Params(), 5).restore({k: v.copy() for k, v in made.state().items()})
    np.testing.assert_array_equal(again.combine(given), made.combine(given))


@pytest.mark.parametrize("cls", [*BY_PROBABILITY, Embeddings])
def test_a_second_fit_forgets_the_first(cls: Any) -> None:
    one, other = heard((0.9, 0.3)), heard((0.3, 0.9), seed=1)
    if cls is Embeddings:
        one, other = (([logits(m) for m in ms], g) for ms, g in (one, other))  # type: ignore[assignment]
    made = fitted(cls, *one)
    groups = np.arange(len(other[1]))
    made.fit(*other, groups, GENRES)
    np.testing.assert_array_equal(made.combine(other[0]), fitted(cls, *other).combine(other[0]))


@pytest.mark.parametrize("cls", [*BY_PROBABILITY, Embeddings])
def test_a_genre_without_a_track_does_no_harm(cls: Any) -> None:
    """Neither one that is absent from the learning tracks, nor one per member never gives."""
    members, genres = heard((0.8, 0.7))
    members[0, :, 2] = 0
    members /= members.sum(2, keepdims=True)
    here = genres != 3
    given: Any = [logits(m) for m in members] if cls is Embeddings else members
    part: Any = [m[here] for m in given] if cls is Embeddings else given[:, here]
    answer = fitted(cls, part, genres[here]).combine(given)
    assert answer.shape == (len(genres), GENRES)
    assert np.isfinite(answer).all()
    np.testing.assert_allclose(answer.sum(1), 1)
    assert accuracy(answer[here], genres[here]) > 0.7


def test_weights_are_a_simplex_and_shrink_to_equal() -> None:
    members, genres = heard((0.8, 0.4, 0.4))
    free = Weighted(WeightedParams(shrinkage=0.01), 0)
    tied = Weighted(WeightedParams(shrinkage=1e6), 0)
    groups = np.arange(len(genres))
    loose = free.fit(members, genres, groups, GENRES).state()["weights"]
    equal = tied.fit(members, genres, groups, GENRES).state()["weights"]
    assert loose.sum() == pytest.approx(1)
    assert loose[0] > 0.7
    np.testing.assert_allclose(equal, 1 / 3, atol=1e-3)


def test_weights_are_the_likeliest() -> None:
    members, genres = heard((0.75, 0.6), tracks=500)
    chosen = members[:, np.arange(500), genres]
    grid = np.linspace(0, 1, 2001)
    losses = [-np.log(w * chosen[0] + (1 - w) * chosen[1]).sum() for w in grid]
    found = Weighted(WeightedParams(shrinkage=0), 0).fit(members, genres, genres, GENRES)
    assert found.state()["weights"][0] == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)


def test_greedy_takes_the_step_that_helps_the_most() -> None:
    members, genres = heard((0.8, 0.5, 0.3))
    chosen = members[:, np.arange(len(genres)), genres]
    weights = select(chosen, np.ones(len(genres)), picks=30)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] > weights[2]
    losses = -np.log(np.stack([chosen.mean(0), weights @ chosen])).mean(1)
    assert losses[1] < losses[0]
    assert np.allclose(select(chosen, np.ones(len(genres)), picks=0), 1 / 3)


def test_greedy_draws_whole_groups() -> None:
    """With one group every draw is the same: all bags give the weights of one selection."""
    members, genres = heard((0.8, 0.5, 0.3))
    chosen = members[:, np.arange(len(genres)), genres]
    made = Greedy(GreedyParams(bags=7), 3).fit(members, genres, np.zeros(len(genres)), GENRES)
    once = select(chosen, np.ones(len(genres)), GreedyParams().picks)
    np.testing.assert_allclose(made.state()["weights"], once)


def test_all_subsets_are_tried_and_the_best_is_kept() -> None:
    members, genres = heard((0.8, 0.8, 0.3, 0.25))
    chosen = members[:, np.arange(len(genres)), genres]
    assert len(list(subsets(chosen, 1))) == 15
    assert len(list(subsets(chosen, 3))) == 5
    made = fitted(BestSubset, members, genres)
    np.testing.assert_array_equal(made.state()["chosen"], [1, 1, 0, 0])
    np.testing.assert_allclose(made.combine(members), members[:2].mean(0))
    four = BestSubset(BestSubsetParams(smallest=4), 0).fit(members, genres, genres, GENRES)
    assert four.state()["chosen"].sum() == 4


def test_of_many_members_the_worst_are_dropped() -> None:
    members, genres = heard((0.8,) * 3 + (0.25,) * 12)
    made = fitted(BestSubset, members, genres)
    assert made.state()["chosen"][:3].sum() == 3
    assert made.state()["chosen"][3:].sum() <= 2
    assert len(list(subsets(members[:, np.arange(len(genres)), genres], 1))) == 15


def test_stacking_learns_what_a_member_mixes_up() -> None:
    """A member that says pop for rock and rock for pop is as good as one that is right."""
    members, genres = heard((0.9, 0.35), tracks=800)
    members[0] = members[0][:, [0, 1, 3, 2]]
    test, truth = heard((0.9, 0.35), tracks=800, seed=1)
    test[0] = test[0][:, [0, 1, 3, 2]]
    assert accuracy(test.mean(0), truth) < 0.6
    assert accuracy(fitted(Stacking, members, genres).combine(test), truth) > 0.8


def test_stacking_of_few_tracks_stays_near_the_geometric_mean() -> None:
    few, test = heard((0.7, 0.7, 0.7), tracks=8), heard((0.7, 0.7, 0.7), tracks=500, seed=1)
    geometric = softmax(logits(test[0]).mean(0))
    answer = fitted(Stacking, *few).combine(test[0])
    assert (answer.argmax(1) == geometric.argmax(1)).mean() > 0.9
    strict = Stacking(StackingParams(penalty=1e9), 0).fit(*few, few[1], GENRES)
    np.testing.assert_allclose(strict.combine(test[0]), geometric, atol=1e-6)


def test_regression_equals_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 7))
    genres = (features[:, :GENRES] + generator.gumbel(size=(300, GENRES))).argmax(1)
    # scikit-learn does not penalise the biases: give it the constant as one more feature.
    constant = np.column_stack([features, np.ones(300)])
    peer = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-8, max_iter=5_000)
    expected = peer.fit(constant, genres).predict_proba(constant)
    weights, biases = fit_softmax(features, genres, GENRES, penalty=2.0)
    np.testing.assert_allclose(softmax(features @ weights + biases), expected, atol=1e-4)


def blocks(seed: int, tracks: int = 240) -> tuple[list[np.ndarray], np.ndarray]:
    """A small telling block, a wide faint one on another scale, and a constant dimension."""
    generator = np.random.default_rng(seed)
    patterns = np.random.default_rng(99)
    genres = generator.integers(GENRES, size=tracks)
    small = patterns.normal(size=(GENRES, 8))[genres] + 1.5 * generator.normal(size=(tracks, 8))
    wide = patterns.normal(size=(GENRES, 400))[genres] * 0.15 + generator.normal(size=(tracks, 400))
    return [small, np.column_stack([1_000 * wide + 5_000, np.full(tracks, 7.0)])], genres


def test_embeddings_of_any_scale_and_width_help_each_other() -> None:
    learning, test = blocks(0), blocks(1)
    both = accuracy(fitted(Embeddings, *learning).combine(test[0]), test[1])
    alone = [
        accuracy(fitted(Embeddings, [learning[0][i]], learning[1]).combine([test[0][i]]), test[1])
        for i in range(2)
    ]
    assert both >= max(alone)
    bare = LogisticRegression(max_iter=500).fit(np.hstack(learning[0]), learning[1])
    assert both > accuracy(bare.predict_proba(np.hstack(test[0])), test[1])


def test_the_scale_of_a_block_does_not_matter() -> None:
    learning, test = blocks(0), blocks(1)
    answer = fitted(Embeddings, *learning).combine(test[0])
    moved = [[m * 3 - 2 for m in members] for members in (learning[0], test[0])]
    again = fitted(Embeddings, moved[0], learning[1]).combine(moved[1])
    np.testing.assert_allclose(again, answer, atol=1e-3)


def test_the_embeddings_penalty_can_be_set() -> None:
    learning, test = blocks(0), blocks(1)
    weak, strong = (
        Embeddings(EmbeddingsParams(C=c), 0)
        .fit(*learning, learning[1], GENRES)
        .combine(test[0])
        .max(1)
        .mean()
        for c in (100.0, 1e-6)
    )
    assert strong == pytest.approx(1 / GENRES, abs=0.02)
    assert weak > 0.5
