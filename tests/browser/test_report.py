"""The report in a real browser, opened from disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened

pytestmark = pytest.mark.browser
Browse = Callable[..., Opened]
NAMES = "#comparison tbody th bdi"


def seen(page: Any, selector: str) -> Any:
    """An element, scrolled to."""
    element = page.locator(selector).first
    element.scroll_into_view_if_needed()
    return element


def until(page: Any, truth: str, seconds: float = 5.0) -> None:
    """Wait until an expression is true (the page's policy forbids what Playwright would do)."""
    end = time.monotonic() + seconds
    while not page.evaluate(truth):
        assert time.monotonic() < end, f"not true within {seconds} s: {truth}"
        page.wait_for_timeout(30)


def drawn_map(page: Any) -> Any:
    seen(page, "#map-chart")
    page.wait_for_selector("#map-chart[data-points]")
    return page.locator("#map-chart")


def point_of(page: Any, number: int) -> tuple[float, float]:
    """Where a point of the map is in the window, by the chart's own reckoning."""
    place = page.evaluate(
        """(number) => {
          const holder = document.getElementById("map-chart");
          const chart = echarts.getInstanceByDom(holder), map = report.runs[chosen.run].map.ready;
          const box = holder.getBoundingClientRect();
          const axes = { xAxisIndex: 0, yAxisIndex: 0 };
          const [x, y] = chart.convertToPixel(axes, [map.x[number], map.y[number]]);
          return [box.left + x, box.top + y];
        }""",
        number,
    )
    return place[0], place[1]


def test_the_table_sorts_by_every_column(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    cells = "#comparison tbody tr > :nth-child({}) "
    heads = page.locator("#comparison thead button")
    assert heads.count() == 8
    for column in range(1, heads.count() + 1):
        for direction in ("first", "second"):
            heads.nth(column - 1).click()
            values = page.eval_on_selector_all(
                cells.format(column).strip(), "all => all.map(one => one.dataset.value)"
            )
            found: list[Any] = values if column == 1 else [float(value) for value in values]
            order = page.locator("#comparison thead th").nth(column - 1).get_attribute("aria-sort")
            down = order == "descending"
            key = str.casefold if column == 1 else None
            assert found == sorted(found, key=key, reverse=down), (column, direction)
    assert "first" in page.inner_text("#sorted")


def test_sorting_works_by_keyboard(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    before = page.locator(NAMES).all_inner_texts()
    page.locator("#comparison thead button").first.focus()
    page.keyboard.press("Enter")
    after = page.locator(NAMES).all_inner_texts()
    assert after == sorted(before, key=str.casefold)
    assert sorted(before) == sorted(after)


def test_the_matrix_switches_between_shares_and_tracks(
    browse: Browse, experiment_report: Path
) -> None:
    page = browse(experiment_report).page
    seen(page, "#confusion")
    first_row = page.locator("#confusion [data-run='0'] tbody tr").first.locator("td")
    shares = [int(text or 0) for text in first_row.all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=2)
    page.locator("#confusion .switch label").nth(1).click()
    tracks = [int(text or 0) for text in first_row.all_inner_texts()]
    assert sum(tracks) == 10
    assert tracks != shares


def test_a_cell_says_in_words_what_it_is(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    panel = "#confusion [data-run='0'] "
    seen(page, panel + "td").hover()
    assert "tracks of ambient were named right" in page.inner_text(panel + ".reading")
    page.locator(panel + "td").first.focus()
    page.keyboard.press("ArrowRight")
    assert "called jazz" in page.inner_text(panel + ".reading")


def test_choosing_a_run_chooses_it_everywhere(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    drawn_map(page)
    name = page.locator("#confusion [data-run-picker] option").nth(2).inner_text()
    seen(page, "#confusion [data-run-picker]").select_option(label=name)
    assert page.locator("#confusion [data-run='2']").is_visible()
    assert not page.locator("#confusion [data-run='0']").is_visible()
    assert page.locator("#map [data-run-picker]").input_value() == "2"
    assert page.evaluate("chosen.run") == 2


def test_hovering_a_point_shows_its_track(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    chart = drawn_map(page)
    assert chart.get_attribute("data-points") == "30"
    for number in (0, 7, 29):
        page.mouse.move(5, 5)
        page.mouse.move(*point_of(page, number))
        tip = page.wait_for_selector(".tip strong")
        title, artist = page.evaluate(
            """(number) => {
              const track = report.runs[0].map.ready.track[number];
              const artist = tracks.artists[tracks.artist[track]];
              return [tracks.title[track] || tracks.id[track], artist];
            }""",
            number,
        )
        shown = page.locator(".tip").inner_text()
        # Two points may lie on each other; then the upper one is named.
        assert title in shown or point_is_covered(page, number), tip
        assert artist in shown or point_is_covered(page, number)


def point_is_covered(page: Any, number: int) -> bool:
    return page.evaluate(
        """(number) => {
          const map = report.runs[0].map.ready;
          return [...map.x.keys()].some((i) => i !== number
            && Math.hypot(map.x[i] - map.x[number], map.y[i] - map.y[number]) < 0.05);
        }""",
        number,
    )


def test_the_map_zooms_by_button_wheel_and_key(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    chart = drawn_map(page)
    page.click("#map-in")
    until(page, "document.getElementById('map-chart').dataset.zoom > 1.5")
    page.click("#map-reset")
    until(page, "document.getElementById('map-chart').dataset.zoom < 1.01")
    chart.focus()
    page.keyboard.press("+")
    until(page, "document.getElementById('map-chart').dataset.zoom > 1.5")
    page.keyboard.press("0")
    until(page, "document.getElementById('map-chart').dataset.zoom < 1.01")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    until(page, "document.getElementById('map-chart').dataset.zoom > 1.05")


def test_the_wheel_alone_scrolls_the_page(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    box = drawn_map(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 200)
    until(page, f"scrollY > {before}")


def test_arrows_walk_from_track_to_track(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    drawn_map(page).focus()
    page.keyboard.press("ArrowRight")
    first = page.inner_text("#map-detail")
    assert "sure" in first
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        if page.inner_text("#map-detail") != first:
            return
    pytest.fail("no arrow led to another track")


def test_the_legend_hides_a_genre_and_colours_change(
    browse: Browse, experiment_report: Path
) -> None:
    page = browse(experiment_report).page
    drawn_map(page)
    legend = page.locator("#map-legend button")
    assert legend.count() == 3
    legend.first.click()
    assert legend.first.get_attribute("aria-pressed") == "false"
    page.locator("#map-mode label").nth(1).click()
    assert [text.split("\n")[0] for text in legend.all_inner_texts()] == [
        "named right", "named wrong",
    ]  # fmt: skip


def test_curves_are_drawn_for_heads_that_have_them(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    seen(page, "#curves")
    names = page.locator("#curves option").all_inner_texts()
    picker = page.locator("#curves [data-run-picker]")
    picker.select_option(label=next(name for name in names if "cnn" in name))
    page.wait_for_selector("#curves-loss svg path", state="attached")
    assert "of 3" in page.inner_text("#curves-reading")
    picker.select_option(label=next(name for name in names if "logistic" in name))
    assert page.locator("#curves-none").is_visible()
    assert not page.locator("#curves-there").is_visible()


def test_the_sound_can_be_loaded_and_played(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report).page
    seen(page, "#hardest audio")
    heard = page.evaluate(
        """async () => {
          const sound = document.querySelector("#hardest audio");
          if (sound.readyState < 1) await new Promise((done, fail) => {
            sound.onloadedmetadata = done;
            sound.onerror = () => fail(new Error("cannot be decoded: " + sound.error.message));
          });
          sound.muted = true;
          await sound.play();
          await new Promise((done) => {
            sound.ontimeupdate = () => sound.currentTime > 0.2 && done();
          });
          sound.pause();
          const head = sound.closest(".card").querySelector(".head");
          return [sound.duration, sound.currentTime, head.hidden];
        }"""
    )
    assert heard[0] == pytest.approx(3.0, abs=0.15)
    assert heard[1] > 0
    assert heard[2] is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_sideways_scroll(
    browse: Browse, experiment_report: Path, scheme: str
) -> None:
    page = browse(experiment_report, width=380, height=800, color_scheme=scheme).page
    for place in range(0, page.evaluate("document.body.scrollHeight"), 700):
        page.evaluate(f"scrollTo(0, {place})")
        page.wait_for_timeout(30)
    page.wait_for_selector("#map-chart[data-points]")
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    page.evaluate("scrollTo(0, 0)")
    page.locator("#comparison thead button").nth(2).click()


def test_light_and_dark_by_system_and_by_button(browse: Browse, experiment_report: Path) -> None:
    page = browse(experiment_report, color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert dark != light
    page.click("#theme")
    assert page.evaluate(ground) == dark


def test_it_prints_in_light_with_everything_open(
    browse: Browse, experiment_report: Path, tmp_path: Path
) -> None:
    page = browse(experiment_report, color_scheme="dark").page
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
          const closed = document.querySelectorAll("details:not([open])").length;
          window.printed = [document.documentElement.dataset.theme, closed];
        })"""
    )
    page.pdf(path=tmp_path / "report.pdf")
    assert page.evaluate("window.printed") == ["light", 0]
    assert page.evaluate("document.documentElement.dataset.theme") is None
    assert (tmp_path / "report.pdf").stat().st_size > 20_000


def test_every_control_can_be_reached_by_tab_and_has_a_name(
    browse: Browse, experiment_report: Path
) -> None:
    page = browse(experiment_report).page
    drawn_map(page)
    nameless = page.evaluate(
        """() => {
          const all = [...document.querySelectorAll("button, select, input, audio, [tabindex]")];
          const name = (one) => one.getAttribute("aria-label") || one.textContent.trim()
            || one.closest("label")?.textContent.trim();
          return all.filter((one) => !name(one)).map((one) => one.outerHTML.slice(0, 120));
        }"""
    )
    assert nameless == []
    assert page.evaluate(
        "[...document.querySelectorAll('a, button, select')].every((one) => one.tabIndex >= 0)"
    )
