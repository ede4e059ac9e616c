"""Runs × strategy → run: alignment, learning, calibration, the folder, new tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.ensembling.combination import EnsembleRequest, StrategySpec, combined_by_fold, restore
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError, UsageError
from mgc.runs.selection import comparable, groups_of_members
from tests.ensembling.members import World, accuracy, answers, single, world

PLAIN = ("majority-voting", "mean-probability", "confidence", "geometric-mean")
LEARNT = ("weighted", "greedy", "best-subset", "stacking", "embeddings")


def combine(name: str, members: list[runs.Run], **settings: object) -> runs.Run:
    return ensemble(EnsembleRequest(StrategySpec(name), **settings), members)  # type: ignore[arg-type]


def three(world: World, seed: int = 0) -> list[runs.Run]:
    names = ("mel", "mfcc", "chroma")
    return [
        single(world, answers(world, 0.6, 10 * seed + i), name, seed)
        for i, name in enumerate(names)
    ]


@pytest.mark.parametrize("name", PLAIN)
def test_an_ensemble_is_a_run(mgc_home: Path, name: str) -> None:
    made = world()
    members = three(made)
    run = runs.load(combine(name, members).name)
    assert run.kind == "ensemble"
    assert run.finished
    assert run.label == name
    assert run.record["members"] == [member.name for member in members]
    assert run.record["strategy"]["name"] == name
    assert len(run.predictions) == len(made.table)
    assert len(run.embeddings) == len(made.table)
    np.testing.assert_allclose(run.probabilities(run.predictions).sum(1), 1)
    test = run.rows("test")
    hits = run.probabilities(test).argmax(1) == run.truth(test)
    assert accuracy(run) == pytest.approx(hits.mean())
    assert accuracy(run) > 0.5


def test_members_are_kept_whole(mgc_home: Path) -> None:
    members = three(world())
    run = combine("mean-probability", members)
    for member in members:
        runs.remove(member.name)
    for name in run.record["members"]:
        kept = runs.load(str(run.folder / "members" / name))
        assert (kept.folder / "fold-0" / "head.json").exists()
        assert kept.predictions.shape[0] == run.predictions.shape[0]


def test_rows_are_matched_by_track_whatever_their_order(mgc_home: Path) -> None:
    made = world(folds=3)
    sorted_members = three(made)
    generator = np.random.default_rng(0)
    shuffled = [
        single(
            made,
            answers(made, 0.6, i),
            f"{name}-shuffled",
            keep=generator.permutation(len(made.table)),
        )
        for i, name in enumerate(("mel", "mfcc", "chroma"))
    ]
    expected = combine("mean-probability", sorted_members).predictions
    found = combine("mean-probability", shuffled).predictions
    columns = [c for c in expected if c.startswith("p:")]
    assert found["track_id"].tolist() == expected["track_id"].tolist()
    np.testing.assert_allclose(found[columns], expected[columns])


def test_what_all_members_have_is_combined(mgc_home: Path) -> None:
    made = world()
    lacking = np.nonzero(~made.table["track_id"].isin(["t0003", "t0040"]))[0]
    members = [
        single(made, answers(made, 0.6, 0), "mel"),
        single(made, answers(made, 0.6, 1), "mfcc", keep=lacking),
    ]
    run = combine("mean-probability", members)
    assert run.record["overlap"] == {"tracks": 118, "of": 120}
    assert len(run.predictions) == 118


def test_too_few_tracks_in_common_are_refused(mgc_home: Path) -> None:
    made = world()
    few = np.nonzero(made.table["track_id"].str[1:].astype(int) < 60)[0]
    members = [
        single(made, answers(made, 0.6, 0), "mel"),
        single(made, answers(made, 0.6, 1), "mfcc", keep=few),
    ]
    with pytest.raises(UsageError, match="Only 60 of 120 tracks") as caught:
        combine("mean-probability", members)
    assert "--min-overlap" in caught.value.hint
    assert (
        combine("mean-probability", members, smallest_share=0.4).record["overlap"]["tracks"] == 60
    )
    assert len(runs.names()) == 3  # the refused one left no folder


@pytest.mark.parametrize("bad", [np.nan, -0.5, 0.7])
def test_rows_that_are_no_probabilities_are_refused(mgc_home: Path, bad: float) -> None:
    made = world()
    broken = answers(made, 0.6, 1)
    broken[7, 2] = bad
    members = [single(made, answers(made, 0.6, 0), "mel"), single(made, broken, "mfcc")]
    with pytest.raises(MgcError, match=r"mfcc.* 1 rows that are not probabilities.*'t0007'"):
        combine("mean-probability", members)


def test_a_track_predicted_twice_is_refused(mgc_home: Path) -> None:
    made = world()
    twice = np.append(np.arange(len(made.table)), 5)
    members = [
        single(made, answers(made, 0.6, 0), "mel"),
        single(made, answers(made, 0.6, 1), "mfcc", keep=twice),
    ]
    with pytest.raises(MgcError, match=r"'t0005' is predicted twice"):
        combine("mean-probability", members)


def test_members_that_differ_in_a_genre_are_refused(mgc_home: Path) -> None:
    made = world()
    changed = World(
        made.table.assign(genre=made.table["genre"].where(made.table.index != 3, "pop"))
    )
    assert (changed.table["genre"] != made.table["genre"]).sum() == 1
    members = [
        single(made, answers(made, 0.6, 0), "mel"),
        single(changed, answers(made, 0.6, 1), "mfcc"),
    ]
    with pytest.raises(MgcError, match=r"genre of 1 row, starting with track 't0003'"):
        combine("mean-probability", members)


def test_runs_of_another_dataset_genres_or_split_are_refused(mgc_home: Path) -> None:
    made = world()
    others = [
        World(made.table, name="another"),
        World(made.table, split="x"),
        World(made.table, genres=("blues", "jazz", "pop", "rock", "folk")),
        world(folds=3),
    ]
    mine = single(made, answers(made, 0.6, 0))
    for other in others:
        with pytest.raises(UsageError, match="differ in their"):
            combine("mean-probability", [mine, single(other, answers(other, 0.6, 1), "mfcc")])


def test_what_cannot_be_a_member_is_refused(mgc_home: Path) -> None:
    members = three(world())
    made = combine("confidence", members)
    with pytest.raises(UsageError, match="at least two"):
        combine("confidence", members[:1])
    with pytest.raises(UsageError, match="named twice"):
        combine("confidence", [*members, members[0]])
    with pytest.raises(UsageError, match="is an ensemble itself") as caught:
        combine("confidence", [made, members[0]])
    assert members[2].name in caught.value.hint
    with pytest.raises(UsageError, match="No strategy is named 'confidense'"):
        combine("confidense", members)


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("name", [*PLAIN, *LEARNT])
def test_new_tracks_are_combined_as_the_scored_ones_were(
    mgc_home: Path, name: str, folds: int
) -> None:
    made = world(folds=folds)
    members = three(made)
    # What is learnt differs from fold to fold; what is not gives the same in each.
    run = combine(name, members, calibrate=folds == 1)
    rows = {r.name: r.rows("test").query("fold == 0") for r in [*members, run]}
    given = [member.probabilities(rows[member.name]) for member in members]
    heard = [[(p, p)] * folds for p in given]
    answer = combined_by_fold(run, heard).mean(0)
    scored = run.probabilities(rows[run.name])
    assert answer.shape == scored.shape
    np.testing.assert_allclose(answer.sum(1), 1)
    if folds == 1 or name in PLAIN:
        # Embeddings are stored as float32; everything else is exact.
        np.testing.assert_allclose(answer, scored, atol=1e-5 if name == "embeddings" else 1e-12)
    else:
        each = [
            restore(StrategySpec(name), run.folder / "strategy" / f"fold-{fold}", 0)
            for fold in range(folds)
        ]
        said = [combination(np.stack(given), given) for combination in each]
        np.testing.assert_allclose(said[0], scored, atol=1e-5 if name == "embeddings" else 1e-12)
        np.testing.assert_allclose(answer, np.mean(said, axis=0))
        assert not np.allclose(answer, scored)


def test_a_damaged_strategy_is_named(mgc_home: Path) -> None:
    run = combine("stacking", three(world()))
    path = run.folder / "strategy" / "fold-0" / "strategy.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(MgcError, match=r"strategy\.safetensors has changed"):
        combined_by_fold(run, [[(np.full((1, 4), 0.25), np.zeros((1, 4)))]] * 3)


def test_an_overconfident_member_that_is_wrong(mgc_home: Path) -> None:
    """Uncalibrated, it rules the mean and the most confident vote; tempered, it does not."""
    made = world(tracks=400, artists=200)
    members = [single(made, answers(made, 0.7, i), f"modest-{i}") for i in range(3)]
    members.append(single(made, answers(made, 0.3, 9, sharpness=12), "loud"))
    majority = accuracy(combine("majority-voting", members))
    plain = combine("mean-probability", members)
    tempered = combine("mean-probability", members, calibrate=True)
    assert accuracy(plain) < majority - 0.1
    assert accuracy(tempered) >= majority - 0.01
    assert accuracy(combine("confidence", members)) < 0.4
    assert accuracy(combine("confidence", members, calibrate=True)) > 0.6
    found = tempered.record["calibration"]
    assert found["after"]["nll"] < found["before"]["nll"]
    assert found["after"]["ece"] < found["before"]["ece"]
    loud = found["members"][members[-1].name]
    assert loud["temperatures"][0] > 5
    assert loud["after"]["ece"] < loud["before"]["ece"] - 0.3


@pytest.mark.parametrize("name", [*PLAIN, *LEARNT])
def test_identical_members_are_their_own_ensemble(mgc_home: Path, name: str) -> None:
    made = world(tracks=200, artists=100, folds=4)
    given = answers(made, 0.7, 0, sharpness=3)
    members = [single(made, given, extractor) for extractor in ("mel", "mfcc", "chroma")]
    run = combine(name, members)
    same = run.probabilities(run.predictions).argmax(1) == run.embeddings[:, :4].argmax(1)
    assert same.mean() >= (0.98 if name in ("stacking", "embeddings") else 1)


@pytest.mark.parametrize("name", [*PLAIN, *LEARNT])
def test_a_member_that_never_says_a_genre(mgc_home: Path, name: str) -> None:
    """It gives that genre no probability at all: no NaN, and the others can still say it."""
    made = world(tracks=400, artists=200, folds=3)
    members = [single(made, answers(made, 0.8, i), f"whole-{i}") for i in range(3)]
    members.append(single(made, answers(made, 0.8, 9, among=2), "lacking"))
    for calibrate in (False, True):
        run = combine(name, members, calibrate=calibrate)
        found = run.probabilities(run.predictions)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(1), 1)
        recall = run.record["metrics"]["test"]["by_genre"]["pop"]["recall"]
        assert recall > (0.3 if name == "geometric-mean" else 0.6)


def test_no_held_out_track_is_said(mgc_home: Path) -> None:
    made = world()
    members = three(World(made.table.assign(part=np.where(made.where("test"), "test", "training"))))
    with pytest.raises(MgcError, match="no held-out tracks for 'weighted' to learn from"):
        combine("weighted", members)


def test_members_of_one_seed_are_found(mgc_home: Path) -> None:
    made = world()
    first, second = three(made, seed=0), three(made, seed=1)
    newer = single(made, answers(made, 0.9, 5), "mel", seed=1)
    combine("confidence", first)
    found, _ = runs.everything()
    groups = groups_of_members(found, made.name)
    names = [{run.name for run in group} for group in groups]
    assert names == [
        {run.name for run in first},
        {newer.name, second[1].name, second[2].name},
    ]
    assert len(comparable(found, made.name).runs) == 7  # with the ensemble
    with pytest.raises(UsageError, match="no finished run"):
        groups_of_members(found, "another")


def test_only_runs_of_the_newest_protocol_are_found(mgc_home: Path) -> None:
    three(world())
    folded = three(world(folds=3))
    found, _ = runs.everything()
    assert {run.name for run in groups_of_members(found, "made-up")[0]} == {
        run.name for run in folded
    }
