"""Two runs are put together only if they are of the same labels, groups and audio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.errors import MgcError
from mgc.home import write_json
from mgc.runs import Run, answering, identity, selection
from tests.ensembling.members import World, answers, single, world

WORDS = {"tracks": ["a", "b"], "labels": ["x", "y"], "audio": ["00", "11"], "seed": 0}


def test_a_part_that_differs_is_named() -> None:
    one = identity.identity(**WORDS)
    other = identity.identity(**WORDS | {"labels": ["y", "x"], "seed": 1})
    assert identity.differing(one, other) == ["labels", "seed"]
    assert identity.unverified(one, other) == []
    assert identity.identity(**WORDS) == one


def test_what_is_not_recorded_or_of_another_scheme_is_unverified() -> None:
    one = identity.identity(**WORDS)
    other = {**one, "audio": "file-sha256-2:ff"}
    del other["labels"]
    assert sorted(identity.unverified(one, other)) == ["audio", "labels"]
    assert identity.differing(one, other) == []
    assert sorted(identity.unverified({}, one)) == sorted(one)


def recorded(run: Run, audio: list[str]) -> Run:
    made = identity.identity(tracks=run.tracks.index.tolist(), audio=audio)
    write_json(run.folder / "run.json", {**run.record, "identity": made})
    return runs.load(run.name)


def relabelled(made: World) -> World:
    swapped = {"blues": "jazz", "jazz": "blues"}
    return replace(made, table=made.table.assign(genre=made.table["genre"].replace(swapped)))


def regrouped(made: World) -> World:
    return replace(made, table=made.table.assign(group=np.arange(len(made.table)) // 2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (relabelled, r"the genre of 60 rows, starting with track 't0000': blues and jazz"),
        (regrouped, r"the group \(artist\) of \d+ tracks"),
        (lambda made: made, ""),
        (lambda made: replace(made, table=made.table.assign(group=made.table["group"] + 7)), ""),
    ],
)
def test_labels_and_groups_are_compared_by_the_predictions(
    change: object, said: str, mgc_home: Path
) -> None:
    made = world()
    first = single(made, answers(made, 0.6, 0))
    other = single(change(made), answers(made, 0.6, 1), "mfcc")  # type: ignore[operator]
    if said:
        with pytest.raises(MgcError, match=said):
            identity.check_alike([first, other])
    else:
        identity.check_alike([first, other])
    taken = selection.comparable(runs.everything()[0], "made-up")
    assert [run.name for run in taken.runs] == [
        r.name for r in (first, other) if not said or r is other
    ]


def test_audio_is_compared_if_both_record_it(mgc_home: Path) -> None:
    made = world()
    old, first, other = (
        single(made, answers(made, 0.6, n), name) for n, name in enumerate(("mel", "mfcc", "cqt"))
    )
    first, other = recorded(first, ["a"]), recorded(other, ["b"])
    with pytest.raises(MgcError, match="the audio of their tracks"):
        identity.check_alike([first, other])
    identity.check_alike([old, first])
    [doubt] = identity.doubts([first, old])
    assert old.name in doubt
    assert "Not checked" in doubt
    assert identity.doubts([first, recorded(first, ["a"])]) == []
    found = answering.answering(runs.everything()[0], "made-up")
    assert found is not None
    assert found.run.name != first.name  # the newest has heard other audio


def test_edited_figures_are_named_and_computed_anew(mgc_home: Path) -> None:
    made = world()
    poor = single(made, answers(made, 0.3, 0))
    good = single(made, answers(made, 0.9, 1), "mfcc")
    edited = {part: {**made, "accuracy": 1.0} for part, made in poor.record.metrics.items()}
    write_json(poor.folder / "run.json", {**poor.record, "metrics": edited})
    poor = runs.load(poor.name)
    assert identity.altered(poor)
    assert not identity.altered(good)
    assert "do not match" in identity.doubts([good, poor])[-1]
    assert poor.scores["test"]["accuracy"] < 0.5
    found = answering.answering(runs.everything()[0], "made-up")
    assert found is not None
    assert found.run.name == good.name
    assert f"do not match the predictions: {poor.name}" in found.reason
