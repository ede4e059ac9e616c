"""Group claims are made only from what is known, per track."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest

from mgc import runs
from mgc.datasets import grouping
from mgc.progress import Silent
from mgc.reporting.page.data_facts import data_facts
from tests.conftest import Told
from tests.datasets.conftest import rows

Mgc = Callable[..., Told]
CLAIMS = [
    ("artist", 18, 0, "grouped by artist"),
    ("artist", 12, 0, "grouped by artist (artist known for 12 of 18 tracks; the others each count"),
    ("artist", 0, 0, "not grouped, because no artist is known"),
    ("artist", 18, 3, "not grouped: 3 groups by artist are in more than one split"),
    ("album", 1, 0, "grouped by album (album known for 1 of 18 tracks; the others each count as"),
    ("artist+album", 9, 0, "grouped by artist+album (artist or album known for 9 of 18 tracks; "),
    ("artist+album", 0, 0, "not grouped, because no artist or album is known"),
    ("none", 0, 0, "not grouped"),
]


@pytest.mark.parametrize(("by", "known", "crossing", "claim"), CLAIMS)
def test_the_claim_is_what_is_known(by: str, known: int, crossing: int, claim: str) -> None:
    said = grouping.words({"by": by, "known": known, "tracks": 18, "crossing": crossing})
    assert said.startswith(claim)
    assert ("grouped by" in said and "not" not in said) == (known > 0 and not crossing)


def test_facts_are_counted_in_the_table() -> None:
    tracks = rows(2, 3, 3).assign(split=["training", "test", "validation"] * 6, album="")
    found = {"by": "artist", "known": 18, "tracks": 18, "crossing": 6}
    assert grouping.facts(tracks, "artist") == found
    assert grouping.facts(tracks, "album") == found | {"by": "album", "known": 0, "crossing": 0}
    assert grouping.facts(tracks, "none") == found | {"by": "none", "known": 0, "crossing": 0}
    half = tracks.assign(artist=["a", ""] * 9, album=["", "b", "", "", "", ""] * 3)
    assert grouping.known(half, "artist") == 9
    assert grouping.known(half, "artist+album") == 12


@pytest.fixture
def partly(mgc: Mgc, music: Path, tmp_path: Path) -> Mgc:
    """The dataset "mine", a table of `music` in which a third of the tracks has no artist."""
    files = [path.relative_to(music) for path in sorted(music.rglob("*.wav"))]
    artists = [f"{path.parts[0]} {path.parts[1]}" for path in files]
    artists = [a if n % 10 < 6 or n % 10 > 9 else "" for n, a in enumerate(artists)]
    table = pd.DataFrame(
        {"path": [str(music / f) for f in files], "genre": [f.parts[0] for f in files],
         "artist": artists}
    )  # fmt: skip
    table.to_csv(tmp_path / "t.csv", index=False)
    told = mgc("data", "add", "mine", tmp_path / "t.csv")
    assert told.code == 0, told.err
    assert "grouped by artist (artist known for 18 of 30 tracks; the others each" in told.out
    return mgc


def test_partial_knowledge_is_said_everywhere(partly: Mgc) -> None:
    assert "artist (18 of 30 known)" in partly("data", "list").out
    assert partly("data", "list", "--json").json[0]["group_known"] == 18
    assert "artist known for 18 of 30 tracks" in partly("data", "show").out
    assert "artist known for 18 of 30 tracks" in partly("data", "split", "--list").out
    assert "The artist is known for 18 of 30 tracks: leakage" in partly("data", "audit").out
    told = partly("fit", "-e", "mfcc", "--head", "logistic", "--folds", "3")
    assert told.code == 0, told.err
    run = runs.everything()[0][0]
    assert run.record.dataset.group_known == 18
    facts = data_facts(run, run, False, Silent())
    assert facts.groups[0] == "unknown"
    assert "artist known for 18 of 30 tracks" in facts.groups[1]
    assert "(artist known for 18 of 30 tracks; " in facts.protocol


def test_nothing_known_is_refused_if_asked_for_and_said_if_not(
    mgc: Mgc, music: Path, tmp_path: Path
) -> None:
    for path in sorted(music.rglob("*.wav")):
        genre, artist, name = path.relative_to(music).parts
        target = tmp_path / "flat" / genre / f"{artist}-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    told = mgc("data", "add", "flat", tmp_path / "flat", "--group-by", "artist")
    assert told.code == 2
    assert "No track of 'flat' has an artist." in told.err
    told = mgc("data", "add", "flat", tmp_path / "flat")
    assert "3 genres, not grouped." in told.out
    assert mgc("data", "audit", "flat", "--fix", "--group-by", "artist").code == 2
    assert mgc("fit", "-e", "mfcc", "--head", "logistic", "--data", "flat").code == 0
    run = runs.everything()[0][0]
    facts = data_facts(run, run, False, Silent())
    assert facts.groups == (
        "unknown",
        "Whether an artist is tested that was also learnt from is unknown: no artist is known.",
    )
    assert "kept together" not in facts.protocol


def test_a_split_of_its_own_that_artists_cross_is_not_called_grouped(
    mgc: Mgc, music: Path, tmp_path: Path
) -> None:
    mgc("data", "add", "mine", music, "--group-by", "none")
    mgc("data", "export", "mine", tmp_path / "own.csv")
    told = mgc("data", "add", "own", tmp_path / "own.csv")
    assert "not grouped: " in told.out
    assert "groups by artist are in more than one split" in told.out
    mgc("fit", "-e", "mfcc", "--head", "logistic", "--data", "mine")
    run = runs.everything()[0][0]
    facts = data_facts(run, run, False, Silent())
    assert facts.groups[0] == "ill"
    assert "kept together" not in facts.protocol


def test_the_table_s_own_folds_reach_the_run(mgc: Mgc, music: Path, tmp_path: Path) -> None:
    mgc("data", "add", "mine", music)
    mgc("data", "export", "mine", tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv", dtype=str).drop(columns="split")
    table["fold"] = [str(1 + number % 3) for number in range(len(table))]
    table.to_csv(tmp_path / "t.csv", index=False)
    told = mgc("data", "add", "own", tmp_path / "t.csv")
    assert "to use them: mgc fit --folds 3 --data own" in told.err
    assert "3 given by the table" in mgc("data", "show", "own").out
    told = mgc("fit", "-e", "mfcc", "--head", "logistic", "--data", "own", "--folds", "3")
    assert "are in more than one of the table's own folds" in told.err
    run = runs.everything()[0][0]
    assert run.record.dataset.own_folds
    tested = run.rows("test").set_index("track_id")["fold"]
    given = table.set_index("track_id")["fold"].astype(int) - 1
    assert (tested.sort_index() == given.sort_index()).all()
    assert any("own folds" in doubt for doubt in data_facts(run, run, False, Silent()).doubts)
    told = mgc("fit", "-e", "mfcc", "--head", "logistic", "--data", "own", "--folds", "2")
    assert "The table's own 3 folds are not used: they need --folds 3." in told.err


def test_what_an_import_passed_over_is_told(mgc: Mgc, music: Path, tmp_path: Path) -> None:
    copytree(music, tmp_path / "music")
    (tmp_path / "music" / "rock").symlink_to("/nowhere/at/all")
    (tmp_path / "music" / "jazz" / "score.mid").write_bytes(b"x")
    told = mgc("data", "add", "mine", tmp_path / "music")
    assert "Left out: not taken for audio: .mid (1 file)." in told.out
    assert "Left out: folder that cannot be read (1 folder)." in told.out
    assert "music/rock cannot be read (No such file or directory)" in told.err
    assert "music/rock cannot be read" in mgc("data", "show").out
    (tmp_path / "t.csv").write_text("path;genre\n" + "".join(
        f"music/{genre}/artist-{a}/{n}.wav;{name}\n"
        for genre, name in (("jazz", "Jazz"), ("metal", "jazz"), ("ambient", "nan"))
        for a in range(5) for n in range(2)
    ) + "music/gone.wav;Jazz\nmusic/jazz/none.wav;\n")  # fmt: skip
    told = mgc("data", "add", "odd", tmp_path / "t.csv")
    assert "Left out: no genre (1 track)." in told.out
    for line in ("The genre 'nan' (10 tracks)", "'Jazz' (11 tracks), 'jazz' (10 tracks)",
                 "1 of the 31 files did not exist"):  # fmt: skip
        assert line in told.err
        assert line in mgc("data", "show", "odd").out
