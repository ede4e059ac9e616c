"""A home with a dataset whose labels are reviewed, and a server that does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import reviewing
from .reviewing import Server, start


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a dataset and its runs."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("reviewed") / "home"
        patch.setenv("MGC_HOME", str(home))
        reviewing.make_home(tmp_path_factory.mktemp("music") / "music")
        yield home


@pytest.fixture(autouse=True)
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, without any answers."""
    monkeypatch.setenv("MGC_HOME", str(made))
    shutil.rmtree(made / "corrections", ignore_errors=True)
    return made


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[Server]:
    """A server that reviews the dataset."""
    started = start(made)
    yield started
    started.process.kill()
    started.process.wait()
