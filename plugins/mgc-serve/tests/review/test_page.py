"""The review in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import mgc

from .reviewing import GENRES, TITLE, Server, answers


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide-light", "narrow-dark"])
def page(request: pytest.FixtureRequest, chromium: Any, server: Server) -> Iterator[Any]:
    """The page of a review; afterwards nothing may have gone wrong on it, nor left the machine."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    width, scheme = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    opened, wrong = context.new_page(), list[str]()
    opened.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda asked: (
            asked.url.startswith((server.address, "blob:", "data:")) or wrong.append(asked.url)
        ),
    )
    opened.goto(f"{server.address}/review")
    opened.locator("#track").wait_for()
    yield opened
    assert wrong == []
    assert opened.title() == "mgc · Review labels"
    context.close()


def test_correct_one_by_keyboard_and_undo(page: Any, server: Server) -> None:
    from playwright.sync_api import expect

    tracks = server.ask("/v1/review/queue?count=9")[1]["tracks"]

    def next_one() -> str:
        """Each answer may change the order of the rest."""
        return str(server.ask("/v1/review/queue?count=1")[1]["tracks"][0]["track_id"])

    def now(answered: int) -> None:
        expect(page.locator("#count")).to_contain_text(f"{answered} answered")
        expect(page.locator("#review")).to_have_attribute("aria-busy", "false")

    now(0)
    # Names with HTML are text, and the genre keys are in the order of the genres.
    expect(page.locator("#title")).to_have_text(TITLE)
    assert page.locator("#track img, #track b, #answers i:not(.dot)").count() == 0
    expect(page.locator("#genres button").nth(2)).to_contain_text(GENRES["metal"])
    expect(page.locator("#views tbody tr")).to_have_count(2)
    expect(page.locator("#length")).to_have_text("0:03")
    expect(page.locator("#correct")).to_have_text("mgc data correct m")

    first = next_one()
    page.keyboard.press("1")
    now(1)
    assert answers() == {first: ("genre", "ambient")}
    second = next_one()
    page.keyboard.press("s")
    expect(page.locator("#several")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    now(2)
    assert answers()[second] == ("several", "jazz", GENRES["metal"])
    third = next_one()
    page.keyboard.press("n")
    now(3)
    fourth = next_one()
    page.keyboard.press("k")
    now(4)
    assert (answers()[third], answers()[fourth]) == (("not music",), ("skip",))

    for left in (3, 2, 1, 0):
        page.keyboard.press("u")
        now(left)
    assert answers() == {}
    expect(page.locator("#undo")).to_be_disabled()
    page.reload()
    now(0)
    assert server.ask("/v1/review/queue?count=9")[1]["tracks"] == tracks


def test_the_sound_plays_and_the_page_is_accessible(page: Any) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#length")).to_have_text("0:03")
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")
    expect(page.locator("#now")).not_to_have_text("0:00", timeout=20_000)
    width = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_the_end_says_how_to_learn(chromium: Any, server: Server) -> None:
    from playwright.sync_api import expect

    tracks = [track["track_id"] for track in server.ask("/v1/review/queue?count=99")[1]["tracks"]]
    mgc.datasets.corrections_of("m").add((track, "skip", ()) for track in tracks)
    opened = chromium.new_page()
    opened.goto(f"{server.address}/review")
    expect(opened.locator("#commands")).to_contain_text("mgc data correct m\nmgc fit -e")
    expect(opened.locator("#end-title")).to_be_focused()
    opened.keyboard.press("u")
    expect(opened.locator("#track")).to_be_visible()
    assert len(answers()) == len(tracks) - 1
    opened.close()
