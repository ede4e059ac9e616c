"""The page in a browser, and the music that is dropped on it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

GENRES = ("classical", "electronic", "metal")
ARTISTS, SECONDS, RATE = 8, 8.0, 22_050
HTML = "<img src=x onerror=alert(1)> & Co.wav"
MIX = "mix.wav"
BROKEN = "broken.mp3"
WAIT = 60.0  # s; only a page that hangs needs so long


def tune(genre: str, artist: int, track: int, seconds: float = SECONDS) -> np.ndarray:
    from mgc.datasets.synthesis.compose import synthesise

    return synthesise(genre, artist, track, seconds=seconds)


@dataclass
class Opened:
    """The page, what went wrong on it, and what it asked for elsewhere."""

    page: Any
    problems: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def until(self, script: str) -> None:
        """Wait for an expression; the page's policy forbids Playwright's own way."""
        end = time.monotonic() + WAIT
        while not self.page.evaluate(script):
            assert time.monotonic() < end, f"{script}\n{self.page.inner_text('body')}"
            self.page.wait_for_timeout(50)

    def answered(self, count: int) -> None:
        self.until(f"document.querySelectorAll('tr.done, tr.failed').length === {count}")

    def row(self, name: str) -> Any:
        return self.page.locator("#table tbody tr", has=self.page.get_by_text(name, exact=True))

    def choose(self, name: str) -> None:
        self.row(name).locator("button").click()
        assert self.page.inner_text("#answer-file") == name


Browse = Callable[..., Opened]


def note(opened: Opened, message: Any) -> None:
    if message.type in ("error", "warning"):
        opened.problems.append(message.text)


def drop(opened: Opened, files: list[Path]) -> None:
    """Let files fall on the page, as from a file manager."""
    content = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in files]
    opened.page.evaluate(
        """(files) => {
          const transfer = new DataTransfer();
          for (const [name, text] of files) {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
          }
          for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(
              new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        content,
    )


def percent(share: float) -> str:
    return ">99 %" if 0.995 < share < 1 else f"{np.floor(100 * share + 0.5):.0f} %"
