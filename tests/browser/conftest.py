"""A headless Chromium from the machine's own packages, and pages to open in it."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: No sandbox: as root in a container Chromium has none. The rest keeps it off the network.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; skips, saying so, where none is installed."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(BROWSERS)} is on the PATH")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page in the browser, and what went wrong on it."""

    page: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def browse(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Open a file from disk: ``browse(path, width=380)``; afterwards no problem may be left."""
    contexts, made = [], []

    def open_file(path: Path, width: int = 1200, height: int = 900, **more: Any) -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        opened = Opened(context.new_page())
        made.append(opened)
        opened.page.on("console", lambda message: _note(opened, message))
        opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri())
        return opened

    yield open_file
    for context in contexts:
        context.close()
    for opened in made:
        assert opened.problems == []
        assert not [url for url in opened.requests if url.startswith(("http", "ws"))]


def _note(opened: Opened, message: Any) -> None:
    if message.type in ("error", "warning"):
        opened.problems.append(message.text)


EXPERIMENT = """
name = "tiny"
dataset = "tiny"
path = "{music}"
folds = 3
extractors = ["mel", "mfcc"]
heads = ["logistic", "cnn"]
strategies = ["mean-probability", "majority-voting"]
device = "cpu"

[settings]
training.epochs = 3
training.patience = 0
"""


@pytest.fixture(scope="session")
def experiment_report(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Path:
    """The report of an experiment on synthesised music, made by the command line."""
    from mgc.cli import app

    folder = tmp_path_factory.mktemp("report")
    file = folder / "tiny.toml"
    file.write_text(EXPERIMENT.format(music=music.as_posix()))
    page = folder / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(folder / "home"))
        for command in (["experiment", "run", file], ["report", "tiny", "-o", page]):
            patch.setattr(sys, "argv", ["mgc", *map(str, command)])
            with contextlib.suppress(SystemExit):
                app.main()
    assert page.exists()
    return page
