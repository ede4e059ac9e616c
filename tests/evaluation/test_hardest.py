import numpy as np
import pytest

from mgc.evaluation.hardest import hardest
from mgc.runs import PREFIX
from tests.evaluation.made_runs import GENRES, made_run

pytestmark = pytest.mark.usefixtures("mgc_home")


def test_the_track_that_nobody_believes_in_is_first() -> None:
    runs_ = [(name, made_run(name, skill=3)) for name in ("mel", "mfcc")]
    for _, run in runs_:
        table = run.predictions
        here = (table["track_id"] == "t00003") & (table["part"] == "test")
        table.loc[here, [PREFIX + genre for genre in GENRES]] = [0.001, 0.998, 0.001]
    first = hardest(runs_, 5)[0]
    assert (first.track_id, first.genre, first.wrong) == ("t00003", "folk", 2)
    assert first.trust == pytest.approx(0.001)
    assert [answer.genre for answer in first.answers] == ["jazz", "jazz"]


def test_tracks_that_all_name_right_are_not_hard() -> None:
    run = made_run(skill=1.0)
    rows = run.rows("test")
    right = run.probabilities(rows).argmax(1) == run.truth(rows)
    found = hardest([("one", run)], 1_000)
    assert len(found) == int((~right).sum())
    trusts = [track.trust for track in found]
    assert trusts == sorted(trusts)
    assert all(track.wrong for track in found)


def test_only_tracks_that_every_run_scored_count() -> None:
    one, other = made_run("mel", skill=0.1), made_run("mfcc", skill=0.1)
    kept = np.flatnonzero(other.predictions["track_id"] != "t00001")
    other.__dict__["predictions"] = other.predictions.iloc[kept]
    assert "t00001" not in [t.track_id for t in hardest([("a", one), ("b", other)], 1_000)]
