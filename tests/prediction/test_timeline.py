"""Which genre is heard when: windows answer as `predict` does, and joins are found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import mgc
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.errors import UsageError
from mgc.prediction.model import Model
from mgc.prediction.timeline import Timeline, clock, written
from tests.fitting.test_fitting import asked

RATE = 22_050


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, music: Path) -> dict[str, Model]:
    """A run with folds, and an ensemble of two."""
    from mgc import fitting

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(tmp_path_factory.mktemp("home")))
        importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
        single = fitting.fit(asked(folds=3))
        other = mgc.fit("m", "chroma", "logistic", folds=3)
        both = mgc.ensemble("geometric-mean", [single, other])
        return {"single": mgc.load(single.folder), "ensemble": both.model()}


def piece(*genres: str, seconds: float = 12.0) -> np.ndarray:
    """Music of these genres, one after the other; "" is silence."""
    parts = [
        synthesise(genre, 30 + number, 0, seconds=seconds)
        if genre
        else np.zeros(round(seconds * RATE))
        for number, genre in enumerate(genres)
    ]
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("name", ["single", "ensemble"])
def test_a_window_is_answered_as_predict_answers(models: dict[str, Model], name: str) -> None:
    wave = piece("jazz", "metal", seconds=3.0)
    made = models[name].timeline((wave, RATE), window=3.0, hop=3.0)
    assert made.starts.tolist() == [0.0, 3.0]
    for row, part in zip(made.probabilities, np.split(wave, 2), strict=True):
        alone = models[name].predict((part, RATE))
        np.testing.assert_allclose(row, list(alone.probabilities.values()), atol=1e-5)


def test_joins_are_found_within_a_window(models: dict[str, Model]) -> None:
    made = models["single"].timeline(
        (piece("metal", "ambient", "jazz", "metal"), RATE), window=3.0, smooth=4.5
    )
    assert [part.genre for part in made.segments] == ["metal", "ambient", "jazz", "metal"]
    joins = [part.end for part in made.segments]
    np.testing.assert_allclose(joins, [12.0, 24.0, 36.0, 48.0], atol=3.0)
    assert [part.start for part in made.segments] == [0.0, *joins[:-1]]


@pytest.mark.parametrize("smooth", [None, 9.0])
def test_silence_is_said_and_not_classified(models: dict[str, Model], smooth: float | None) -> None:
    made = models["single"].timeline((piece("metal", "", "jazz"), RATE), 3.0, 1.5, smooth)
    [silent] = [part for part in made.segments if not part.genre]
    assert silent.remark == "is digital silence"
    assert (silent.start, silent.end) == pytest.approx((12.0, 24.0), abs=3.0)
    assert np.isnan(silent.probability)


def test_a_file_of_silence_only(models: dict[str, Model]) -> None:
    [only] = models["single"].timeline((piece(""), RATE), 3.0).segments
    assert (only.genre, only.start, only.end) == ("", 0.0, 12.0)


def test_audio_shorter_than_a_window_has_one_answer(models: dict[str, Model]) -> None:
    wave = piece("metal", seconds=4.0)
    [only] = models["single"].timeline((wave, RATE)).segments
    assert (only.genre, only.start, only.end) == ("metal", 0.0, 4.0)
    assert only.probability == pytest.approx(models["single"].predict((wave, RATE)).probability)


@pytest.mark.parametrize(
    ("window", "hop", "smooth"),
    [
        *((0.1, None, None), (np.nan, None, None), (4_000, None, None)),
        *((3, 4, None), (3, 0, None), (3, np.nan, None)),
        *((3, 1, 0), (3, 1, np.nan), (3, 1, np.inf)),
    ],
)
def test_lengths_that_cannot_be_are_refused(
    models: dict[str, Model], window: float, hop: float | None, smooth: float | None
) -> None:
    with pytest.raises(UsageError):
        models["single"].timeline((piece("metal", seconds=4.0), RATE), window, hop, smooth)


def made_of(*rows: tuple[float, float], silent: int | None = None) -> Timeline:
    """Windows of 2 s, one a second, of two genres."""
    shares = np.array(rows)
    remarks = ["silent" if number == silent else "" for number in range(len(rows))]
    starts = np.arange(float(len(rows)))
    return Timeline(None, ["a", "b"], len(rows) + 1.0, 2.0, 1.0, starts, shares, remarks)


def test_a_fade_is_one_segment_without_music() -> None:
    """Each of its windows says how loud it is; the segment, what is true of all."""
    quiet = [f"its loudest second is at -{level} dBFS" for level in (62, 70, 70)]
    shares = np.array([[0.9, 0.1], *[[np.nan] * 2] * 3])
    made = Timeline(None, ["a", "b"], 5.0, 2.0, 1.0, np.arange(4.0), shares, ["", *quiet])
    assert [(s.genre, s.remark) for s in made.segments] == [("a", ""), ("", "holds no music")]
    assert [window["remark"] for window in made.as_record()["windows"]] == ["", *quiet]
    same = Timeline(None, ["a", "b"], 4.0, 2.0, 1.0, np.arange(2.0), shares[2:], quiet[1:])
    assert [segment.remark for segment in same.segments] == [quiet[1]]


def test_a_window_without_music_has_no_genre() -> None:
    made = made_of((0.9, 0.1), (0.4, 0.6), (np.nan, np.nan), (0.6, 0.4), silent=2)
    np.testing.assert_allclose(made.edges, [0.0, 1.5, 2.5, 3.5, 5.0])
    assert made.labels == ["a", "b", "", "a"]
    assert made.smoothed(9.0).labels == ["a", "a", "", "a"]


@pytest.mark.parametrize(("seconds", "kept"), [(3.9, True), (4.1, False)])
def test_a_stretch_counts_if_it_is_as_long_as_asked_and_twice_as_likely(
    seconds: float, kept: bool
) -> None:
    a, b = (0.9, 0.1), (1 / 3, 2 / 3)
    made = made_of(*[a] * 5, *[b] * 4, *[a] * 5)
    smoothed = made.smoothed(seconds)
    assert smoothed.labels == [*"aaaaa", *("bbbb" if kept else "aaaa"), *"aaaaa"]
    assert smoothed.segments[0].end == (5.5 if kept else 15.0)
    np.testing.assert_array_equal(smoothed.probabilities, made.probabilities)


def test_what_is_left_at_the_end_changes_no_price(models: dict[str, Model]) -> None:
    made = models["single"].timeline((piece("metal", seconds=4.0), RATE), 3.0, smooth=6.0)
    assert made.starts.tolist() == [0.0, 1.0]
    assert made.price == pytest.approx(6.0 / 1.5 * np.log(2) / 2)


def test_two_windows_are_smoothed_by_the_hop_that_was_asked_for() -> None:
    """11 s in windows of 10 s, one every 5 s: what is left is in a window that starts at 1 s."""
    rows = np.array([[0.8, 0.2], [0.3, 0.7]])  # b is 2.33 times as likely in the second
    made = Timeline(None, ["a", "b"], 11.0, 10.0, 5.0, np.array([0.0, 1.0]), rows, ["", ""])
    assert made.smoothed(12.0).labels == ["a", "b"]
    assert made.smoothed(13.0).labels == ["a", "a"]


def test_smoothing_leaves_a_join_where_it_is() -> None:
    wavering = ((0.8, 0.2), (0.4, 0.6), (0.8, 0.2), (0.7, 0.3), (0.45, 0.55), (0.9, 0.1))
    made = made_of(*wavering, *[(0.1, 0.9)] * 4)
    assert made.labels == [*"abaababbbb"]
    assert made.smoothed(4.0).labels == [*"aaaaaabbbb"]


def test_files() -> None:
    rows = np.array([[1.0, 0.0], [np.nan, np.nan]])
    made = Timeline(
        Path("mix.wav"), ["a", "b"], 20.0, 10.0, 10.0, np.array([0.0, 10]), rows, ["", "odd"]
    )
    assert written(made, ".txt").decode() == ("0.000000\t10.000000\ta\n10.000000\t20.000000\todd\n")
    table = written(made, ".csv").decode().splitlines()
    assert table[0] == "start,end,genre,a,b,remark"
    assert table[2] == "10.000,20.000,,,,odd"
    record = json.loads(written(made, ".json"))
    assert record["segments"][1]["genre"] is None
    assert record["segments"][1]["probability"] is None
    assert record["windows"][0]["probabilities"] == {"a": 1.0, "b": 0.0}


def test_times_are_read_as_on_a_player() -> None:
    assert [clock(seconds) for seconds in (7, 190, 3_723.9)] == ["0:07", "3:10", "1:02:03"]
