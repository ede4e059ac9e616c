"""The page by keyboard, for screen readers, and in both colour schemes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from .browsing import BROKEN, MIX, Browse, drop

AXE = importlib.util.find_spec("axe_playwright_python")


def test_the_keyboard_reaches_everything(browse: Browse, songs: list[Path]) -> None:
    opened = browse()
    page = opened.page
    drop(opened, songs[:3])
    opened.answered(3)
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        seen.add(page.evaluate("document.activeElement.innerText || document.activeElement.type"))
    assert {"run", "theme", "pick-files", "record", "export", "clear", "play", "range"} <= seen
    assert {"File", "Genre", "How sure", "a.wav"} <= seen

    page.focus("#table tbody button")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#answer-file") == "b.flac"
    assert page.evaluate("document.activeElement.innerText") == "b.flac"
    page.focus("#table thead button")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    names = page.locator("#table tbody th").all_inner_texts()
    assert names == ["c.mp3", "b.flac", "a.wav"]
    assert page.get_attribute("#table thead th", "aria-sort") == "descending"

    page.focus(".wave input")
    page.keyboard.press("ArrowRight")
    opened.until("document.querySelector('.wave input').value == 5")
    assert "0:05 of 0:08" in page.get_attribute(".wave input", "aria-valuetext")
    page.keyboard.press(" ")
    opened.until("document.querySelector('.player .play').ariaLabel === 'Pause'")


@pytest.mark.skipif(AXE is None, reason="axe-playwright-python is not installed")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing(browse: Browse, songs: list[Path], width: int, scheme: str) -> None:
    """In every state of the page."""
    assert AXE is not None
    assert AXE.origin is not None
    script = (Path(AXE.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    microphone = {"permissions": ["microphone"]}
    opened = browse(width=width, color_scheme=scheme, reduced_motion="reduce", **microphone)
    page = opened.page
    page.evaluate(script)

    def check(state: str) -> None:
        found = page.evaluate("axe.run()")["violations"]
        told = [(one["id"], one["impact"], [n["html"] for n in one["nodes"]]) for one in found]
        assert told == [], state

    check("empty")
    page.click("#record")
    opened.until("!document.getElementById('recorder').hidden")
    check("recording")
    page.click("#record-discard")
    drop(opened, songs)
    check("busy")
    opened.answered(6)
    opened.choose(BROKEN)
    check("failed")
    opened.choose(MIX)
    page.wait_for_selector(".lane li")
    page.wait_for_selector(".songs .play")
    check("answered")
    page.locator(".why > button").click()
    opened.until("document.querySelector('.why img')?.naturalWidth > 300")
    assert page.evaluate("document.querySelector('.why img').width") >= 500  # its text can be read
    check("explained")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_theme_is_kept(browse: Browse) -> None:
    opened = browse(color_scheme="light")
    page = opened.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    page.reload()
    assert page.evaluate(ground) == dark
