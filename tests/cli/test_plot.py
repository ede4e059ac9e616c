"""``mgc plot``, ``mgc report`` and the pictures of ``mgc features``, as a user types them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import called

RUNS = ("m-mfcc-mlp-1", "m-chroma-mlp-1")
KINDS = ("confusion", "curves", "embedding", "genres", "calibration", "comparison")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Path:
    """A home with two runs that have a history."""
    words = ["-e", "mfcc", "-e", "chroma", "--head", "mlp", "--folds", 3, "--set", "epochs=3"]
    made = tmp_path_factory.mktemp("plots") / "home"
    called(made, ("data", "add", "m", music), ("fit", *words))
    return made


@pytest.fixture
def fitted(mgc: Callable, mgc_home: Path, home: Path) -> Callable:
    """The command line with these runs."""
    shutil.copytree(home, mgc_home, dirs_exist_ok=True)
    return mgc


def test_every_figure_in_every_form(fitted: Callable, tmp_path: Path) -> None:
    for kind in KINDS:
        names = RUNS[:1] if kind in ("confusion", "embedding") else RUNS
        for suffix in (".png", ".svg", ".pdf"):
            path = tmp_path / f"{kind}{suffix}"
            told = fitted("plot", kind, *names, "-o", path)
            assert told.code == 0, told.err
            assert path.stat().st_size > 1000
        with Image.open(tmp_path / f"{kind}.png") as picture:
            low, high = picture.convert("L").getextrema()
            assert low < high, f"{kind} is blank"
    for kind in ("confusion", "genres", "comparison"):
        for suffix, sign in ((".md", "|"), (".tex", "&"), (".csv", ",")):
            path = tmp_path / f"{kind}{suffix}"
            told = fitted("plot", kind, *RUNS[:1], "-o", path)
            assert told.code == 0, told.err
            assert sign in path.read_text()


def test_figures_in_the_terminal(fitted: Callable) -> None:
    for kind in ("confusion", "curves", "genres", "calibration"):
        told = fitted("plot", kind, RUNS[0])
        assert told.code == 0, told.err
        assert told.out.strip()


def test_a_suffix_that_cannot_be_written(fitted: Callable, tmp_path: Path) -> None:
    told = fitted("plot", "confusion", RUNS[0], "-o", tmp_path / "x.docx")
    assert told.code == 2
    assert ".docx" in told.err


def test_pictures_of_features(fitted: Callable, music: Path, tmp_path: Path) -> None:
    song = next((music / "jazz").rglob("*.wav"))
    picture = tmp_path / "song.png"
    told = fitted("features", "show", song, "-e", "mel", "-e", "chroma", "-o", picture)
    assert told.code == 0, told.err
    with Image.open(picture) as image:
        assert image.width > 300
    told = fitted("features", "show", song)
    assert told.code == 2
    assert "--extractor" in told.err


def test_a_report_of_everything(fitted: Callable, tmp_path: Path) -> None:
    assert fitted("ensemble", "mean-probability").code == 0
    page = tmp_path / "report.html"
    told = fitted("report", "-o", page)
    assert told.code == 0, told.err
    text = page.read_text()
    assert page.stat().st_size < 5_000_000
    for words in ("mfcc · mlp", "mean-probability", "metal"):
        assert words in text
    assert 'src="http' not in text
