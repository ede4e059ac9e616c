"""What is worth hearing, from opinions that are made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mgc_serve.review.opinions import Opinions
from mgc_serve.review.queue import (
    ARTIST,
    DISAGREE,
    OTHERS,
    SUSPECT,
    UNCERTAIN,
    UNLIKE,
    Doubt,
    queue,
)

GENRES = ["jazz", "pop", "rock"]


def rows(labels: list[str], artists: list[str] | None = None) -> pd.DataFrame:
    count = len(labels)
    columns = {name: [""] * count for name in ("album", "title", "path")}
    ids = [f"{n:03}" for n in range(count)]
    artists = artists or ids
    split = ["test" if n % 5 == 0 else "training" for n in range(count)]
    table = {"track_id": ids, "genre": labels, "artist": artists, "split": split, **columns}
    return pd.DataFrame(table)


def sure(genre: int, share: float = 0.9) -> list[float]:
    made = np.full(3, (1 - share) / 2)
    made[genre] = share
    return list(made)


def said(*shares: list[list[float]], far: list[float] | None = None) -> Opinions:
    made = np.array(shares)
    count = made.shape[1]
    ids = [f"{n:03}" for n in range(count)]
    names = [f"view {n}" for n in range(len(made))]
    return Opinions(ids, GENRES, names, [[]], made, np.array(far or [0.1] * count))


def by_id(doubts: list[Doubt]) -> dict[str, Doubt]:
    return {doubt.track_id: doubt for doubt in doubts}


def test_a_label_that_is_not_heard_is_suspect_and_the_least_probable_comes_first() -> None:
    labels = ["jazz"] * 10 + ["pop"] * 10 + ["rock"] * 10
    truth = [sure(GENRES.index(label)) for label in labels]
    truth[3], truth[14], truth[25] = sure(2, 0.6), sure(0, 0.97), sure(1, 0.8)
    found = queue(rows(labels), said(truth, truth))
    suspects = [doubt for doubt in found if SUSPECT in doubt.reasons]
    assert [doubt.track_id for doubt in suspects] == ["014", "025", "003"]
    assert suspects[0].label == "pop"
    assert suspects[0].suggested == "jazz"
    assert suspects[0].probabilities["jazz"] == pytest.approx(0.97)
    assert [(view.name, view.genre) for view in suspects[0].views] == [
        ("view 0", "jazz"), ("view 1", "jazz"),
    ]  # fmt: skip
    assert by_id(suspects)["025"].tested
    assert not by_id(suspects)["014"].tested


def test_views_count_alike_and_one_that_is_sure_against_a_label_counts_much() -> None:
    labels = ["jazz", "pop", "rock"] * 4
    own = [sure(GENRES.index(label)) for label in labels]
    other = [list(row) for row in own]
    other[0] = sure(1, 0.998)
    mean = np.sqrt(np.array(own[0]) * np.array(other[0]))
    (first,) = [d for d in queue(rows(labels), said(own, other)) if SUSPECT in d.reasons]
    assert first.track_id == "000"
    assert list(first.probabilities.values()) == pytest.approx(mean / mean.sum(), abs=1e-4)


def test_the_other_reasons() -> None:
    labels = ["jazz", "pop", "rock"] * 12
    own = [sure(GENRES.index(label)) for label in labels]
    views = [[list(row) for row in own] for _ in range(3)]
    for view in views:
        view[0] = [0.4, 0.3, 0.3]
    for n, view in enumerate(views):
        view[1] = sure(n, 0.96 if n == 1 else 0.6)
    found = by_id(queue(rows(labels), said(*views, far=[0.1] * 35 + [0.9])))
    assert found["000"].reasons == [UNCERTAIN]
    assert found["001"].reasons == [DISAGREE]
    assert found["035"].reasons == [UNLIKE]
    assert len(found) == 3


def test_the_labels_of_an_artist_make_a_single_one_suspect() -> None:
    labels = ["jazz"] * 9 + ["rock"] + ["rock"] * 10 + ["pop"] * 10
    artists = ["one"] * 10 + ["two"] * 10 + ["three"] * 10
    own = [sure(GENRES.index(label), 0.55) for label in labels]
    found = by_id(queue(rows(labels, artists), said(own)))
    assert list(found) == ["009"]
    assert found["009"].reasons == [SUSPECT, ARTIST]
    assert not queue(rows(labels, [""] * 30), said(own))


def test_a_whole_artist_with_a_wrong_label_is_found_by_the_sound() -> None:
    labels = ["jazz"] * 10 + ["rock"] * 10 + ["pop"] * 10
    artists = [f"artist {n // 5}" for n in range(30)]
    truth = [sure(GENRES.index(label)) for label in labels]
    truth[:5] = [sure(1)] * 5
    found = queue(rows(labels, artists), said(truth))
    assert {doubt.track_id for doubt in found} == {f"{n:03}" for n in range(5)}
    assert all(SUSPECT in doubt.reasons and ARTIST not in doubt.reasons for doubt in found)


def test_an_answer_makes_the_other_labels_of_the_artist_suspect() -> None:
    labels = ["jazz"] * 10 + ["rock"] * 10 + ["pop"] * 10
    artists = [f"artist {n // 5}" for n in range(30)]
    own = [sure(GENRES.index(label), 0.5) for label in labels]
    own[0] = sure(1)  # the others sound like what is written
    own[10] = sure(1, 0.7)
    table, heard = rows(labels, artists), said(own)
    assert [doubt.track_id for doubt in queue(table, heard)] == ["000", "010"]
    wrong = [doubt.track_id for doubt in queue(table, heard, {"000": "pop"})]
    assert wrong[0] == "001"
    assert set(wrong) == {"001", "002", "003", "004", "010"}
    right = queue(table, heard, {"000": "jazz"})
    assert [doubt.track_id for doubt in right] == ["000", "010"]
    assert "001" not in {doubt.track_id for doubt in queue(table, heard, {"000": ""})}


def test_artists_and_genres_are_spread_and_other_reasons_come_between() -> None:
    # Twenty suspects by one artist are a little more suspect than twenty by others.
    labels = ["jazz"] * 40 + ["pop"] * 30 + ["rock"] * 30 + ["jazz"] * 40
    artists = ["one"] * 20 + [f"other {n}" for n in range(120)]
    truth = [sure(GENRES.index(label)) for label in labels]
    for n in range(40):
        truth[n] = sure(1, 0.95 if n < 20 else 0.94)
    for n in range(45, 55):
        truth[n] = [0.3, 0.4, 0.3]
    found = queue(rows(labels, artists), said(truth))
    first = found[:20]
    assert 3 <= sum(doubt.artist == "one" for doubt in first) <= 12
    uncertain = [place for place, doubt in enumerate(found) if SUSPECT not in doubt.reasons]
    assert uncertain[:2] == [OTHERS - 1, 2 * OTHERS - 1]
    assert len({doubt.track_id for doubt in found}) == len(found) == 50


def test_tracks_that_left_the_dataset_and_labels_that_no_run_knows() -> None:
    labels = ["jazz", "pop", "rock"] * 4
    own = [sure(GENRES.index(label)) for label in labels]
    fewer = rows(labels).iloc[1:].reset_index(drop=True)
    fewer.loc[0, "genre"] = "polka"
    found = queue(fewer, said(own))
    assert [(doubt.track_id, doubt.label) for doubt in found] == [("001", "polka")]
