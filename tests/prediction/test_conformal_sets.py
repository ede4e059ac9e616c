"""Sets of genres hold the true one as often as they say, for tracks by artists not seen before."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc import runs
from mgc.errors import MgcError, UsageError
from mgc.prediction.conformal_sets import Calibration, GenreSets, least_groups
from mgc.prediction.prediction import Prediction
from tests.evaluation.made_runs import made_run


def drawn(
    rng: np.random.Generator, artists: int, tracks: int, genres: int = 4, skill: float = 1.5
) -> Calibration:
    """Rows of artists whose tracks resemble each other; a large artist's are easy."""
    sizes = rng.integers(1, tracks + 1, artists)
    owner = np.repeat(np.arange(artists), sizes)
    truth = rng.integers(0, genres, artists)[owner]
    ease = skill * (1 + (sizes > tracks / 2))[owner, None]
    odd = rng.normal(size=(artists, genres))[owner]
    logits = ease * np.eye(genres)[truth] + odd + 0.3 * rng.normal(size=odd.shape)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Calibration(shares, truth, owner, np.zeros(len(owner), np.int64))


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_by_genre_are_those_of_crepes(coverage: float) -> None:
    """Boström's crepes, without artists and folds, which it does not have."""
    import crepes
    from crepes.extras import hinge

    rng = np.random.default_rng(5)
    known, new = drawn(rng, 120, 1, skill=0.8), drawn(rng, 300, 1, skill=0.8)
    inside = known.inside(new.shares[:, None], coverage)
    wanted = np.zeros(inside.shape, bool)
    for genre in range(4):
        own = known.genres == genre
        scores = hinge(known.shares[own], np.arange(4), known.genres[own])
        reference = crepes.ConformalClassifier().fit(scores)
        asked = hinge(new.shares)[:, [genre]]
        theirs = reference.predict_set(asked, confidence=coverage, smoothing=False)[:, 0] > 0
        wanted[:, genre] = theirs
    empty = ~wanted.any(1)
    wanted[empty, new.shares[empty].argmax(1)] = True
    np.testing.assert_array_equal(inside, wanted)


def test_sets_with_artists_and_folds_are_those_of_the_definition() -> None:
    """Romano et al. 2020 (CV+) with the weights of Lee et al. 2023, written as in the papers."""
    rng = np.random.default_rng(1)
    drawn_rows = drawn(rng, 80, 5, genres=3)
    known = Calibration(
        drawn_rows.shares, drawn_rows.genres, drawn_rows.groups, drawn_rows.groups % 3
    )
    answers = rng.dirichlet(np.ones(3), size=(20, 3))
    inside = known.inside(answers, 0.9)
    wanted = np.zeros(inside.shape, bool)
    for track, folds in enumerate(answers):
        for genre in range(3):
            artists = np.unique(known.groups[known.genres == genre])
            total = 1 / (len(artists) + 1)
            for artist in artists:
                rows = np.flatnonzero((known.genres == genre) & (known.groups == artist))
                for row in rows:
                    as_low = known.shares[row, genre] <= folds[known.folds[row], genre]
                    total += as_low / len(rows) / (len(artists) + 1)
            wanted[track, genre] = total > 0.1 + 1e-9
    empty = ~wanted.any(1)
    wanted[empty, answers[empty].mean(1).argmax(1)] = True
    np.testing.assert_array_equal(inside, wanted)


def test_genres_with_too_few_artists_are_calibrated_together() -> None:
    assert [least_groups(c) for c in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    counts = [9, 8, 30, 1]
    genres = np.repeat(np.arange(4), counts)
    rows = Calibration(np.full((48, 4), 0.25), genres, np.arange(48), np.zeros(48, np.int64))
    assert rows.joined(0.9).tolist() == [1, 3]
    assert rows.joined(0.8).tolist() == [1, 3]
    assert rows.joined(0.95).tolist() == [0, 1, 2, 3]
    assert rows.joined(0.5).tolist() == []
    assert rows.inside(np.full((1, 1, 4), 0.25), 0.99).all()  # too few to leave any out


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_a_track_by_a_new_artist_is_covered(coverage: float) -> None:
    """Over 150 draws; sets that count every track as one are too small for artists with few."""
    rng = np.random.default_rng(0)
    by_artist, by_track = [], []
    for _ in range(150):
        known, new = drawn(rng, 60, 12, skill=0.4), drawn(rng, 40, 12, skill=0.4)
        own = np.arange(len(known.genres))
        alone = Calibration(known.shares, known.genres, own, known.folds)
        firsts = np.unique(new.groups, return_index=True)[1]
        for rows, found in ((known, by_artist), (alone, by_track)):
            inside = rows.inside(new.shares[firsts][:, None], coverage)
            found.append(inside[np.arange(len(firsts)), new.genres[firsts]].mean())
    spread = np.std(by_artist) / np.sqrt(len(by_artist))
    assert coverage - 3 * spread < np.mean(by_artist) < coverage + 0.09
    assert np.mean(by_track) < coverage - 3 * spread


def test_a_run_of_several_folds_is_calibrated_on_the_rows_it_held_out(mgc_home: Path) -> None:
    run = made_run(tracks=120, folds=3)
    sets = GenreSets(run, run.name)
    assert len(sets.calibration.genres) == 120
    assert set(sets.calibration.folds) == {0, 1, 2}
    assert "120 tracks (30 artists)" in sets.about(0.9)
    assert "all genres together (by itself a genre needs 99 artists)" in sets.about(0.99)
    by_fold = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.4, 0.35, 0.25]])
    found = [sets.genres_at(by_fold, coverage) for coverage in (0.3, 0.8, 0.9, 0.97)]
    assert found[0][0] == "folk"
    assert found[-1] == ["folk", "jazz", "metal"]
    assert all(set(a) <= set(b) for a, b in itertools.pairwise(found))
    assert pickle.loads(pickle.dumps(sets)).genres_at(by_fold, 0.9) == found[2]


def test_a_single_split_is_calibrated_on_its_validation_tracks(mgc_home: Path) -> None:
    run = made_run(tracks=60, folds=0)
    rows = GenreSets(run, run.name).calibration
    assert len(rows.genres) == (run.predictions["part"] == "validation").sum()


def test_what_has_no_held_out_tracks_says_so(mgc_home: Path) -> None:
    with pytest.raises(MgcError, match="clap has no held-out tracks"):
        GenreSets(None, "clap").genres_at(np.ones((1, 2)) / 2, 0.9)
    run = made_run(folds=0)
    raw = {**run.record, "kind": "ensemble", "members": [], "strategy": {"name": "stacking"}}
    learnt = runs.Run(run.folder, raw)  # type: ignore[arg-type]
    with pytest.raises(MgcError, match="learnt from the validation tracks"):
        _ = GenreSets(learnt, run.name).calibration


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 90, float("nan"), "0.9"])
def test_an_impossible_coverage_is_refused(mgc_home: Path, coverage: Any) -> None:
    run = made_run()
    with pytest.raises(UsageError, match="is not possible"):
        GenreSets(run, run.name).genres_at(np.ones((3, 3)) / 3, coverage)


def test_an_answer_without_its_model_has_no_sets() -> None:
    with pytest.raises(MgcError, match="without its model"):
        Prediction(Path("a.wav"), {"folk": 1.0}).genres_at(0.9)


def test_the_most_likely_genre_is_left_out_if_another_is_more_usual_at_its_probability() -> None:
    """Folk always has 0.9, metal 0.4: at 0.55 and 0.45 it is metal; at 0.7 and 0.3 neither."""
    shares = np.repeat([[0.9, 0.1], [0.6, 0.4]], 20, 0)
    rows = Calibration(shares, np.repeat([0, 1], 20), np.arange(40), np.zeros(40, np.int64))
    answers = np.array([[0.55, 0.45], [0.7, 0.3]])[:, None]
    assert rows.inside(answers, 0.9).tolist() == [[False, True], [True, False]]
