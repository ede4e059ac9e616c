"""A real beets library, imported with the plug-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 22_050
CONFIG = """
directory: {music}
library: {library}
plugins: mgc
import: {{copy: no, write: yes, autotag: no}}
mgc: {{run: {run}, at_least: {at_least}, unknown: 0}}
"""


def sound(genre: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(3 * RATE) / RATE
    if genre == "calm":
        return sum(np.sin(2 * np.pi * rng.uniform(200, 900) * time) for _ in range(4)) / 8
    return rng.normal(0, 0.2, len(time)) * (np.sin(8 * np.pi * time) > 0)


def album(folder: Path, first: int, count: int) -> None:
    for genre in ("calm", "harsh"):
        (folder / genre).mkdir(parents=True)
        for number in range(first, first + count):
            path = folder / genre / f"{genre}-{number}.flac"
            with soundfile.SoundFile(path, "w", RATE, 1) as file:
                file.album, file.artist, file.title = f"{genre} album", "one", str(number)
                file.write(sound(genre, number))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run's name, and the home it is in."""
    import mgc

    home, music = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("music")
    album(music, 0, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(home))
        mgc.datasets.add("two", music)
        return mgc.fit("two", "mfcc", "logistic").name, home


class Beets:
    """One library."""

    def __init__(self, folder: Path, run: str, home: Path, at_least: float = 0.5) -> None:
        self.folder = folder / "beets"
        self.folder.mkdir()
        text = CONFIG.format(
            music=folder / "music", library=folder / "db", run=run, at_least=at_least
        )
        (self.folder / "config.yaml").write_text(text)
        self.environment = {
            **os.environ, "BEETSDIR": str(self.folder), "MGC_HOME": str(home), "HOME": str(folder),
        }  # fmt: skip

    def __call__(self, *words: object, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "beets", *map(str, words)],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr


def test_imported_with_genres(tmp_path: Path, run: tuple[str, Path]) -> None:
    album(tmp_path / "new", 50, 2)
    beets = Beets(tmp_path, *run)
    beets("import", "-q", tmp_path / "new")
    for genre in ("calm", "harsh"):
        found = beets("ls", f"genre:{genre}", "-f", "$path").split()
        assert sorted(Path(path).stem.split("-")[0] for path in found) == [genre, genre]
    assert len(beets("ls", "mgc_probability:0.5..").splitlines()) == 4
    tags = subprocess.run(
        [sys.executable, "-c", "import mutagen, sys; print(mutagen.File(sys.argv[1])['genre'])",
         found[0]], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert tags.strip() == "['harsh']"


def test_later_by_the_command(tmp_path: Path, run: tuple[str, Path]) -> None:
    album(tmp_path / "new", 60, 1)
    beets = Beets(tmp_path, *run)
    config = beets.folder / "config.yaml"
    config.write_text(config.read_text().replace("at_least", "auto: no, at_least"))
    beets("import", "-q", tmp_path / "new")
    assert beets("ls", "genre:calm") == ""
    assert "calm" in beets("mgc", "--pretend")
    assert beets("ls", "genre:calm") == ""
    beets("mgc")
    assert len(beets("ls", "genre:calm").splitlines()) == 1
    beets("modify", "-y", "genre:calm", "genres=mine")
    beets("mgc")
    assert len(beets("ls", "genre:mine").splitlines()) == 1
    config.write_text(config.read_text().replace("at_least", "coverage: 0.999, at_least"))
    beets("mgc", "--force")
    assert beets("ls", "genre:mine") == ""
    assert len(beets("ls", "genre:calm", "genre:harsh").splitlines()) == 2


def test_an_unknown_run_is_named(tmp_path: Path, run: tuple[str, Path]) -> None:
    album(tmp_path / "new", 70, 1)
    beets = Beets(tmp_path, "nope", run[1])
    assert "nope" in beets("import", "-q", tmp_path / "new", code=1)
