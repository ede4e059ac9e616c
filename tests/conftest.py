"""What many tests need: a home of their own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mgc.errors import MgcError
from mgc.home import replace_file

# One thread a test process: pytest-xdist already has one process for each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def mgc_home(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A home for datasets, features and runs: empty, but that it knows the plug-ins that earlier
    tests have read, for which a new home starts a process each."""
    home = tmp_path / "home"
    monkeypatch.setenv("MGC_HOME", str(home))
    session = tmp_path_factory.getbasetemp()
    session = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session
    known = session / "known-plugins.json"
    home.mkdir()
    with suppress(OSError):
        shutil.copyfile(known, home / "plugins.json")
    yield home
    with suppress(OSError, MgcError):
        replace_file(known, (home / "plugins.json").read_bytes())


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real music that ``MGC_REAL_DATA`` names; skips, saying so, where there is none."""
    folder = os.environ.get("MGC_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MGC_REAL_DATA does not name a folder of real music")
    return Path(folder)


@pytest.fixture(scope="session")
def real_whisper() -> Path:
    """The model that ``MGC_WHISPER`` names; skips, saying so, where there is none."""
    folder = os.environ.get("MGC_WHISPER", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MGC_WHISPER does not name a folder with a Whisper model")
    return Path(folder)


@dataclass(frozen=True)
class Told:
    """What one call of the command line said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def mgc(
    mgc_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Told]:
    """Call the command line in this process, as ``main()`` does: ``mgc("data", "list")``."""
    from mgc.cli import app

    def call(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["mgc", *map(str, arguments)])
        capsys.readouterr()
        try:
            app.main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return call


def called(home: Path, *commands: Sequence[object]) -> None:
    """Call commands in this process, with a home of their own; for fixtures of several tests."""
    from mgc.cli import app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(home))
        for words in commands:
            patch.setattr(sys, "argv", ["mgc", *map(str, words)])
            with pytest.raises(SystemExit) as left:
                app.main()
            assert not left.value.code, words


GENRES = ("ambient", "jazz", "metal")


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of genre/artist/track.wav: 3 genres × 5 artists × 2 tracks of 3 s, synthesised."""
    import soundfile

    from mgc.datasets.synthesis.compose import synthesise

    folder = tmp_path_factory.mktemp("music")
    for genre in GENRES:
        for artist in range(5):
            for track in range(2):
                path = folder / genre / f"artist-{artist}" / f"{track}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, synthesise(genre, artist, track, seconds=3.0), 22_050)
    return folder
