"""A home with two runs and their ensemble, and a server that knows them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from mgc_serve.app import make_app
from mgc_serve.settings import Settings

from . import sounds

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: No sandbox: as root in a container Chromium has none. The microphone is a beep.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@dataclass(frozen=True)
class Home:
    """Where runs and music are, and the names of the runs."""

    folder: Path
    music: Path
    run: str
    ensemble: str


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with runs that tell calm from harsh."""
    with pytest.MonkeyPatch.context() as patch:
        folder, music = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("music")
        patch.setenv("MGC_HOME", str(folder))
        for genre in ("calm", "harsh"):
            for number in range(20):
                suffix = "aiff" if number == 3 else "wav"
                sounds.write(music / genre / f"{number}.{suffix}", genre, number)
        import mgc

        mgc.datasets.add("two", music)
        runs = [mgc.fit("two", name, "logistic", folds=2) for name in ("mfcc", "chroma")]
        ensemble = mgc.ensemble("mean-probability", runs)
        yield Home(folder, music, runs[0].name, ensemble.name)


@dataclass
class Running:
    """A server in a thread."""

    settings: Settings
    app: Any
    server: uvicorn.Server

    @property
    def port(self) -> int:
        return int(self.server.servers[0].sockets[0].getsockname()[1])

    def client(self, **more: Any) -> httpx.Client:
        """A client of it that no proxy stands before."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=300, trust_env=False, **more
        )


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """A server on a free port."""
    app = make_app(replace(settings, port=0))
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Running(settings, app, server)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The server of most tests, with small limits."""
    settings = Settings(
        run=home.run,
        max_bytes=2 << 20,
        max_seconds=60,
        max_files=5,
        workers=2,
        folder=tmp_path_factory.mktemp("temporary"),
    )
    with running(settings) as made:
        yield made


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    """A client of the server."""
    with server.client() as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser; skips, saying so, where none is installed."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(BROWSERS)} is on the PATH")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        yield browser
        browser.close()
