"""Systems side by side: pooling of folds and seeds, tests, ranks, genres, agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import UsageError
from mgc.evaluation import compare_text
from mgc.evaluation.agreement import agreement
from mgc.evaluation.compare import by_genre, compare
from mgc.evaluation.systems import systems
from mgc.home import write_json
from mgc.reporting import tables
from mgc.reporting.page import sections
from mgc.runs import identity, metrics
from tests.ensembling.members import GENRES, World, accuracy, answers, single, world

FEW = 1_000  # resamples: enough for these tests


def seeds_of(extractor: str, right: float, worlds: list[World]) -> list[runs.Run]:
    return [
        single(w, answers(w, right, 100 * seed + len(extractor)), extractor, seed)
        for seed, w in enumerate(worlds)
    ]


def folded(seed: int) -> World:
    made = world(folds=4, seed=seed)
    return World(made.table, split=f"split {seed}")


def test_one_run_has_its_own_figures(mgc_home: Path) -> None:
    run = single(world(), answers(world(), 0.7, 0))
    made = compare(systems([run]), resamples=FEW)
    row = made.rows[0]
    test = run.record["metrics"]["test"]
    for name in ("accuracy", "precision", "recall", "f1", "nll", "ece", "tracks"):
        assert row[name] == pytest.approx(test[name])
    assert row["name"] == "mel · cnn"
    assert row["kind"] == "single"
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert 0 <= row["ece_low"] <= row["ece_corrected"] <= row["ece_high"] <= 1
    assert made.reference is None
    assert row["rank"] == 1


def test_folds_are_pooled_and_seeds_are_averaged(mgc_home: Path) -> None:
    worlds = [folded(0), folded(1), folded(2)]
    found = seeds_of("mel", 0.6, worlds)
    row = compare(systems(found), resamples=FEW).rows[0]
    each = [accuracy(run) for run in found]
    assert row["seeds"] == 3
    assert row["tracks"] == 120  # every track once, not once a seed
    assert row["accuracy"] == pytest.approx(np.mean(each))
    assert row["seed_sd"] == pytest.approx(np.std(each, ddof=1))
    assert row["seed_interval"] == pytest.approx(4.3027 * np.std(each, ddof=1) / 3**0.5, rel=1e-3)
    assert row["runs"] == [run.name for run in found]


def test_the_best_single_is_the_reference(mgc_home: Path) -> None:
    worlds = [folded(0), folded(1)]
    singles = [run for e, r in (("mel", 0.5), ("mfcc", 0.65), ("chroma", 0.6))
               for run in seeds_of(e, r, worlds)]  # fmt: skip
    combined = [
        ensemble(EnsembleRequest(StrategySpec("mean-probability")), singles[seed::2])
        for seed in range(2)
    ]
    made = compare(systems([*singles, *combined]), resamples=FEW)
    best = max((r for r in made.rows if r["kind"] == "single"), key=lambda r: r["accuracy"])
    assert made.reference == best["name"]
    assert made.rows[0]["name"] == "mean-probability"
    assert [row["rank"] for row in made.rows] == [1, 2, 3, 4]
    assert made.tracks == 120
    assert made.groups == 40
    assert sum(row["best_share"] for row in made.rows) == pytest.approx(1)
    for row in made.rows:
        if row["name"] != made.reference:
            assert row["difference"] == pytest.approx(row["accuracy"] - best["accuracy"])
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
            assert row["f1_difference"] == pytest.approx(row["f1"] - best["f1"])
            assert row["p"] <= row["p_adjusted"] <= 1


def test_a_clear_difference_is_found_and_none_is_not(mgc_home: Path) -> None:
    made = world(tracks=400, artists=200)
    good, same = answers(made, 0.85, 0), answers(made, 0.85, 1)
    found = [
        single(made, good, "mel"),
        single(made, same, "mfcc"),
        single(made, answers(made, 0.5, 2), "chroma"),
    ]
    rows = {r["name"]: r for r in compare(systems(found), "mel · cnn", FEW).rows}
    assert rows["chroma · cnn"]["p_adjusted"] < 0.01
    assert rows["chroma · cnn"]["mcnemar_p"] < 0.001
    assert compare_text.mark(rows["chroma · cnn"]) == "**"
    assert rows["mfcc · cnn"]["p_adjusted"] > 0.05
    assert compare_text.mark(rows["mfcc · cnn"]) == ""


def test_artists_are_drawn_whole(mgc_home: Path) -> None:
    """A difference that comes from a few artists is no difference between tracks at large."""
    made = world(tracks=400, artists=20)
    base = answers(made, 0.6, 0)
    better = base.copy()
    test = made.table[made.where("test")]
    few = (
        test["artist"].isin(test["artist"].unique()[:2]).reindex(made.table.index, fill_value=False)
    )
    better[few] = np.eye(len(GENRES))[made.truth[few]] * 0.9 + 0.025
    found = [single(made, base, "mel"), single(made, better, "mfcc")]
    by_artist = compare(systems(found), "mel · cnn", FEW).rows[0]
    alone = World(made.table.assign(group=np.arange(len(made.table))))
    loners = [single(alone, base, "mel"), single(alone, better, "mfcc")]
    by_track = compare(systems(loners), "mel · cnn", FEW).rows[0]
    assert by_track["difference"] == by_artist["difference"] > 0.05
    assert by_track["p"] < 0.01 < by_artist["p"]


def test_two_artists_are_too_few_to_tell(mgc_home: Path) -> None:
    """However many tracks they have, and however large the difference is."""
    made = world(tracks=60, artists=60)
    made = World(made.table.assign(group=np.arange(60) % 2, part="test"))
    found = systems(
        [single(made, answers(made, r, i), e) for i, (e, r) in enumerate((("a", 0.1), ("b", 0.9)))]
    )
    result = compare(found, "a · cnn", FEW)
    row = result.rows[0]
    assert row["difference"] > 0.3
    assert [row[name] for name in ("p", "p_adjusted", "mcnemar_p", "f1_p")] == [None] * 4
    assert compare_text.mark(row) == ""
    said = "too few artists to tell (2; a test needs 6)"
    assert compare_text.verdict(result).endswith(f"; against a · cnn: {said}.")
    for text in (*compare_text.markdown(result), tables.comparison(result)[0].note):
        assert "p <" not in text
    assert said in compare_text.markdown(result)[-1].replace("\\", "")
    assert said in sections.verdict(result)
    assert said in sections.verdict(compare(found, "b · cnn", FEW))
    assert "better than" not in sections.verdict(compare(found, "b · cnn", FEW))


def test_tests_stand_on_the_shared_tracks(mgc_home: Path) -> None:
    made = world()
    keep = np.nonzero(made.table["track_id"] != made.table[made.where("test")]["track_id"].iloc[0])
    found = [
        single(made, answers(made, 0.6, 0), "mel"),
        single(made, answers(made, 0.6, 1), "mfcc", keep=keep[0]),
    ]
    result = compare(systems(found), resamples=FEW)
    counts = {row["name"]: row["tracks"] for row in result.rows}
    assert counts["mel · cnn"] == counts["mfcc · cnn"] + 1 == result.tracks + 1


def test_runs_without_a_common_split_are_not_tested(mgc_home: Path) -> None:
    found = [*seeds_of("mel", 0.6, [folded(0)]), single(folded(1), answers(folded(1), 0.5, 3), "b")]
    made = compare(systems(found), resamples=FEW)
    assert made.reference is None
    assert made.tracks == 0
    assert [row["rank"] for row in made.rows] == [1, 2]


def test_other_datasets_and_protocols_do_not_share_a_table(mgc_home: Path) -> None:
    one = single(world(), answers(world(), 0.6, 0))
    for other in (World(world().table, name="another"), folded(0)):
        with pytest.raises(UsageError, match="differ in their"):
            systems([one, single(other, answers(other, 0.6, 1))])
    with pytest.raises(UsageError, match="no runs to compare"):
        systems([])


def test_repetitions_and_other_settings_are_apart(mgc_home: Path) -> None:
    made = world()
    first, second = (single(made, answers(made, 0.6, i)) for i in range(2))
    names = [system.name for system in systems([first, second])]
    assert names == [f"mel · cnn ({run.name})" for run in (first, second)]
    assert len(systems([first, first])) == 1


@pytest.mark.parametrize("part", ["pooling", "learning"])
def test_seeds_pooled_or_learnt_in_another_way_are_another_system(
    mgc_home: Path, part: str
) -> None:
    earlier, later, last = seeds_of("whisper", 0.6, [folded(seed) for seed in range(3)])
    for run in (later, last):
        made = identity.identity(**{part: ["mean", 1]})
        write_json(run.folder / "run.json", {**run.record, "identity": made})
    found = systems([runs.load(run.name) for run in (earlier, later, last)])
    assert [len(system.runs) for system in found] == [1, 2]


def test_an_unknown_reference_is_named(mgc_home: Path) -> None:
    made = world()
    found = systems([single(made, answers(made, 0.6, i), e) for i, e in enumerate(("mel", "mfcc"))])
    with pytest.raises(UsageError, match="No compared system is named 'mell · cnn'") as caught:
        compare(found, "mell · cnn", FEW)
    assert "'mel · cnn'" in caught.value.hint
    assert compare(found, found[1].runs[0].name, FEW).reference == "mfcc · cnn"


def test_genre_by_genre(mgc_home: Path) -> None:
    made = world()
    found = systems([single(made, answers(made, 0.6, i), e) for i, e in enumerate(("mel", "mfcc"))])
    scores = by_genre(found)
    assert list(scores.index) == list(GENRES)
    assert list(scores.columns) == ["mel · cnn", "tracks", "mfcc · cnn"]
    run = found[0].runs[0]
    rows = run.rows("test")
    figures = metrics.summary(run.truth(rows), run.probabilities(rows), run.genres)
    assert scores["mel · cnn"].mean() == pytest.approx(figures["f1"])


def test_agreement_and_the_oracle(mgc_home: Path) -> None:
    made = world(tracks=12, artists=12)
    made = World(made.table.assign(part=["test"] * 8 + ["validation"] * 4))
    truth = made.truth
    sure = 0.97 * np.eye(4) + 0.0075

    def said(wrong: list[int]) -> np.ndarray:
        answer = truth.copy()
        answer[wrong] = (answer[wrong] + 1) % 4
        return sure[answer]

    found = systems(
        [single(made, said(w), e) for e, w in (("a", [0, 1]), ("b", [1, 2, 3]), ("c", [1]))]
    )
    made_of = agreement(found)
    assert made_of.tracks == 8
    assert made_of.oracle == pytest.approx(7 / 8)
    assert made_of.none_right == pytest.approx(1 / 8)
    assert made_of.all_right == pytest.approx(4 / 8)
    pair = made_of.pairs[0]
    assert (pair["first"], pair["second"]) == ("a · cnn", "b · cnn")
    assert pair["agreement"] == pytest.approx(5 / 8)
    assert pair["both_wrong"] == pytest.approx(1 / 8)
    assert pair["either_right"] == pytest.approx(7 / 8)
    with pytest.raises(UsageError, match="at least two"):
        agreement(found[:1])


def test_the_words(mgc_home: Path) -> None:
    made = world(tracks=400, artists=200)
    found = [
        single(made, answers(made, 0.85, 0), "mel"),
        single(made, answers(made, 0.5, 2), "ch|roma"),
    ]
    result = compare(systems(found), resamples=FEW)
    assert compare_text.verdict(result).startswith("Best: mel · cnn, ")
    against = compare(systems(found), "ch|roma · cnn", FEW)
    assert "better than ch|roma · cnn (p = " in compare_text.verdict(against)
    lines = compare_text.markdown(result)
    assert lines[0].startswith("| name | kind | precision")
    assert "ch\\|roma" in lines[3]
    assert "\\*\\*" in lines[3]  # the mark, not bold
    text = compare_text.csv_text(result).splitlines()
    assert text[0].startswith("name,kind,precision,recall,f1,accuracy,accuracy_low,accuracy_high")
    assert len(text) == 3
    assert "artists" in compare_text.footnote(result)
