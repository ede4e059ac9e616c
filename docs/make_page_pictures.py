"""Draws docs/pictures/page-*.png: what ``mgc serve`` shows of some files, wide and narrow.

``python docs/make_page_pictures.py ADDRESS FILE...``, with the address that ``mgc serve`` printed;
the first file is the one that is shown. The pictures in the repository are of a run of mel, mfcc
and chroma (logistic heads, strategy auto) on `allmusic9`, and of music that it had not heard: a mix
of five tracks of gtzan, such tracks by themselves, synthesised rain, and a file that is no audio.
"""

from __future__ import annotations

import io
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent / "pictures"
SIZES = ((1280, 922), (390, 844))
SCALE = 2  # sharp on dense screens
FREQUENT = 176  # of the 256 colours
WAIT = 120.0  # s


def until(page: Any, script: str) -> None:
    """Wait for an expression: the page's policy forbids Playwright's own way."""
    end = time.monotonic() + WAIT
    while not page.evaluate(script):
        if time.monotonic() > end:
            raise SystemExit(f"never came true: {script}")
        page.wait_for_timeout(100)


def show(page: Any, files: list[str]) -> None:
    """Drop the files, and wait for everything that is said of the first."""
    until(page, "document.getElementById('run').value !== '…'")
    page.set_input_files("#files", files)
    until(page, f"document.querySelectorAll('tr.done, tr.failed').length === {len(files)}")
    until(page, "document.querySelector('.lane li') && document.querySelector('.songs button')")


def few_colours(screenshot: bytes) -> Image.Image:
    """The picture in 256 colours, each pixel's the nearest: the most frequent ones, and rare ones.

    Pillow's own palettes blend the ground and the cards with colours that are near to them.
    """
    import numpy as np

    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    colours, places, counts = np.unique(
        np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    frequent = colours[np.argsort(-counts)[:FREQUENT]]
    rare = picture.quantize(256 - FREQUENT, Image.Quantize.FASTOCTREE).getpalette() or []
    palette = np.concatenate([frequent, np.reshape(rare, (-1, 3))]).astype(np.uint8)
    nearest = np.linalg.norm(colours[:, None].astype(float) - palette, axis=2).argmin(1)
    made = Image.fromarray(nearest[places].astype(np.uint8).reshape(picture.height, -1), "P")
    made.putpalette(palette.tobytes())
    return made


def main(address: str, *files: str) -> None:
    """Make the four pictures."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                    device_scale_factor=SCALE,
                )
                page.goto(address)
                show(page, list(files))
                if width < 900:
                    page.evaluate("document.getElementById('answer').scrollIntoView()")
                    page.wait_for_timeout(200)
                place = HERE / f"page-{width}-{scheme}.png"
                few_colours(page.screenshot()).save(place, optimize=True)
                print(place, f"{place.stat().st_size / 1000:.0f} kB")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
