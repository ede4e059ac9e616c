"""What the page shows, plays and exports is what mgc answers."""

from __future__ import annotations

import contextlib
import csv
import sys
from pathlib import Path

import pytest

from .browsing import BROKEN, GENRES, HTML, MIX, Browse, drop, percent


def test_five_songs_and_a_broken_one(browse: Browse, songs: list[Path], tmp_path: Path) -> None:
    """What is shown, heard and exported is what mgc answers."""
    import mgc

    opened = browse()
    page = opened.page
    drop(opened, songs)
    opened.answered(6)
    model = mgc.load("three-mean-probability-1")
    expected = {path.name: model.predict(path) for path in songs[:-1]}
    assert any(answer.known for answer in expected.values())
    for name, answer in expected.items():
        shown = opened.row(name).inner_text()
        assert (answer.genre if answer.known else "unknown") in shown
        if answer.known:
            assert percent(answer.probability) in shown
    assert "cannot be used" in opened.row(BROKEN).inner_text()

    opened.choose(BROKEN)
    assert "does not decode" in page.inner_text("#answer")
    assert "Does it play elsewhere?" in page.inner_text("#answer")
    assert page.inner_text("#said") == f"{BROKEN}: cannot be used"

    opened.choose(MIX)
    parts = [(s.start, s.end, s.genre) for s in model.timeline(songs[4]).segments]
    assert len(parts) > 1
    opened.until(f"document.querySelectorAll('.lane li').length === {len(parts)}")
    lane = page.locator(".lane button").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert [label.split(": ")[1].split(",")[0] for label in lane] == [g for *_, g in parts]
    table = page.locator(".views tbody tr")
    assert [row.split("\t")[0] for row in table.all_inner_texts()] == sorted(
        GENRES, key=lambda genre: -expected[MIX].probabilities[genre]
    )
    heads = page.locator(".views thead th").all_inner_texts()
    assert heads == ["Together", "mfcc · logistic", "chroma · logistic"]

    page.locator(".player .play").click()
    opened.until("document.querySelector('.player .play').ariaLabel === 'Pause'")
    opened.until("document.querySelector('.wave input').value > 0.2")
    page.locator(".lane button").last.click()
    opened.until(f"document.querySelector('.wave input').value >= {parts[-1][0]:.0f} - 0.5")

    page.wait_for_selector(".songs .play")
    page.locator(".songs .play").first.click()
    opened.until("document.querySelector('.songs .play').ariaLabel.startsWith('Pause')")
    assert page.get_attribute(".player .play", "aria-label") == "Play"

    with page.expect_download() as download:
        page.click("#export")
    download.value.save_as(tmp_path / "genres.csv")
    with (tmp_path / "genres.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == [path.name for path in songs]
    for name, answer in expected.items():
        assert rows[name]["genre"] == answer.genre
        assert float(rows[name]["probability"]) == pytest.approx(answer.probability, abs=1e-6)
        shares = [float(rows[name][genre]) for genre in model.genres]
        assert shares == pytest.approx(list(answer.probabilities.values()), abs=1e-6)
        assert rows[name]["set"] == "; ".join(answer.genres_at(0.9))
        assert rows[name]["known"] == str(answer.known)
    assert "does not decode" in rows[BROKEN]["error"]


def test_csv_has_the_columns_of_the_command_line(
    browse: Browse,
    songs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mgc.cli import app

    words = ["predict", str(songs[0]), "--run", "three-chroma-logistic-1", "--csv"]
    monkeypatch.setattr(sys, "argv", ["mgc", *words, "--coverage", "0.9", "--workers", "1"])
    with contextlib.suppress(SystemExit):
        app.main()
    told = capsys.readouterr().out
    opened = browse()
    opened.page.set_input_files("#files", songs[0])
    opened.answered(1)
    with opened.page.expect_download() as download:
        opened.page.click("#export")
    download.value.save_as(tmp_path / "genres.csv")
    assert (tmp_path / "genres.csv").read_text().splitlines()[0] == told.splitlines()[0]


def test_why(browse: Browse, songs: list[Path]) -> None:
    opened = browse()
    drop(opened, songs[:1])
    opened.answered(1)
    opened.page.locator(".why > button").click()
    opened.until("document.querySelector('.why img')?.naturalWidth > 300")
    opened.page.get_by_role("button", name="Play the telling part").click()
    opened.until("document.querySelector('.player .play').ariaLabel === 'Pause'")


def test_another_model_answers_all_files_anew(browse: Browse, songs: list[Path]) -> None:
    import mgc

    opened = browse()
    drop(opened, songs[:3])
    opened.answered(3)
    opened.page.select_option("#run", "three-mfcc-logistic-1")
    opened.until("document.querySelectorAll('.views thead th').length === 1")
    opened.answered(3)
    model = mgc.load("three-mfcc-logistic-1")
    for path in songs[:3]:
        answer = model.predict(path)
        if answer.known:
            assert percent(answer.probability) in opened.row(path.name).inner_text()


def test_names_are_text(browse: Browse, songs: list[Path]) -> None:
    opened = browse()
    drop(opened, songs[3:4])
    opened.answered(1)
    assert opened.page.inner_text("#answer-file") == HTML
    assert opened.page.locator("img[src=x]").count() == 0
