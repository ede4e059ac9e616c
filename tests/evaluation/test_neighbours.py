import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from mgc.evaluation.neighbours import neighbours
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")


def test_they_are_those_of_an_independent_search_in_the_space_of_the_tracks_own_fold() -> None:
    run = made_run(folds=3)
    for row in run.rows("test").iloc[::7].itertuples():
        table = run.predictions[run.predictions["fold"] == row.fold]
        vectors = run.embeddings[table.index] - run.embeddings[table.index].mean(0)
        others = table[table["group"] != row.group]
        places = table.index.get_indexer(others.index)
        search = NearestNeighbors(metric="cosine").fit(vectors[places])
        distance, near = search.kneighbors(vectors[[table.index.get_loc(row.Index)]], 4)
        found = neighbours(run, [row.track_id], 4)[row.track_id]
        assert [one.track_id for one in found] == others["track_id"].iloc[near[0]].tolist()
        np.testing.assert_allclose([one.similarity for one in found], 1 - distance[0], atol=1e-5)
        assert row.artist not in {one.artist for one in found}


def test_tracks_that_were_not_tested_have_none() -> None:
    run = made_run(folds=0)
    learnt = run.predictions["track_id"][run.predictions["part"] == "training"].iloc[0]
    assert neighbours(run, [learnt, "unheard"], 3) == {}


def test_there_are_no_more_than_there_are_tracks_by_others() -> None:
    run = made_run(tracks=60, folds=3)
    track = run.rows("test")["track_id"].iloc[0]
    assert len(neighbours(run, [track], 99)[track]) == 56
