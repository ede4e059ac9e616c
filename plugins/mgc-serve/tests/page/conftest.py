"""A server with real runs, and a browser on its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mgc_serve.settings import Settings

from tests.conftest import running

from .browsing import ARTISTS, BROKEN, GENRES, HTML, MIX, RATE, Browse, Opened, note, tune


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home with two runs and their ensemble, which know music from noise."""
    import mgc

    folder = tmp_path_factory.mktemp("page")
    for genre in GENRES:
        (folder / "music" / genre).mkdir(parents=True)
        for artist in range(ARTISTS):
            place = folder / "music" / genre / f"{genre}-{artist}.wav"
            soundfile.write(place, tune(genre, artist, 0), RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(folder / "home"))
        mgc.datasets.add("three", folder / "music")
        runs = [mgc.fit("three", name, "logistic", folds=2) for name in ("mfcc", "chroma")]
        mgc.ensemble("mean-probability", runs)
        yield


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five songs that no run has heard, one of them a mix, and a file that is none."""
    folder = tmp_path_factory.mktemp("songs")
    names = ["a.wav", "b.flac", "c.mp3", HTML]
    for number, (name, genre) in enumerate(zip(names, [*GENRES, "metal"], strict=True)):
        soundfile.write(folder / name, tune(genre, ARTISTS + number, 0), RATE)
    mix = [tune(genre, ARTISTS, 5, 30.0) for genre in ("classical", "metal")]
    soundfile.write(folder / MIX, np.concatenate(mix), RATE)
    (folder / BROKEN).write_bytes(b"<html>404</html>" * 50)
    return [folder / name for name in (*names, MIX, BROKEN)]


@pytest.fixture(scope="module")
def address(tunes: None) -> Iterator[str]:
    """Where the server is."""
    with running(Settings(run="three-mean-probability-1", workers=1)) as made:
        yield f"http://127.0.0.1:{made.port}/"


@pytest.fixture
def browse(chromium: Any, address: str) -> Iterator[Browse]:
    """Open the page: ``browse(width=390)``; afterwards nothing may have gone wrong."""
    contexts, made = [], []

    def open_page(
        width: int = 1280, height: int = 900, path: str = "", prepare: Any = None, **more: Any
    ) -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        opened = Opened(context.new_page())
        made.append(opened)

        def only_here(route: Any) -> None:
            if route.request.url.startswith(address):
                route.continue_()
            else:
                opened.elsewhere.append(route.request.url)
                route.abort()

        context.route(re.compile("^(http|ws)"), only_here)
        opened.page.on("console", lambda message: note(opened, message))
        opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
        if prepare:
            prepare(opened.page)
        opened.page.goto(address + path)
        opened.until("document.getElementById('run').value !== '…'")
        return opened

    yield open_page
    for context in contexts:
        context.close()
    for opened in made:
        assert opened.problems == []
        assert opened.elsewhere == []
