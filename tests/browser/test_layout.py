"""The page of eight systems: nothing is cut off, covered or endless, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mgc.evaluation.evaluate import Evaluation
from mgc.home import write_json
from mgc.reporting.page.build import ReportRequest, make_report
from tests.browser.conftest import Opened
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.browser
DESK, PHONE = 1280, 390
HIGHEST_PHONE = 10_000  # px; it was 17,900 before lists were folded

#: Text that its own element cuts off and that no title repeats, and drawn text outside its drawing.
CUT_OFF = """() => {
  const bad = [];
  for (const one of document.querySelectorAll("body *")) {
    if (!one.checkVisibility() || one.closest(".hidden, .skip, noscript, .chart")) continue;
    if (one.tagName === "text") {
      const [mine, whole] = [one, one.ownerSVGElement].map((e) => e.getBoundingClientRect());
      if (mine.left < whole.left - 1 || mine.right > whole.right + 1 || mine.top < whole.top - 1
        || mine.bottom > whole.bottom + 1) bad.push("drawn: " + one.textContent);
    } else if (getComputedStyle(one).overflowX !== "visible" && !one.closest("[title], select")
      && !one.closest(".scroll") && one.scrollWidth > one.clientWidth + 1) {
      bad.push("element: " + one.className + " " + one.textContent.slice(0, 40));
    }
  }
  return bad;
}"""

#: Pairs of words on the page that lie on one another.
OVERLAPPING = """() => {
  const boxes = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (!node.textContent.trim() || !holder.checkVisibility()) continue;
    if (holder.closest(".hidden, .skip, noscript, script, style, select, .chart, .none")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) boxes.push([box, node]);
  }
  const bad = [];
  boxes.forEach(([a, one], i) => {
    for (const [b, other] of boxes.slice(i + 1)) {
      if (one === other) continue;
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > 0.4 * Math.min(a.height, b.height)) {
        bad.push(one.textContent.slice(0, 30) + " | " + other.textContent.slice(0, 30));
      }
    }
  });
  return bad;
}"""


@pytest.fixture(scope="module")
def eight_systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(folder / "home"))
        runs = [
            made_run(
                f"extractor-{number}", head=("logistic", "cnn")[number % 2], tracks=160, folds=4,
                genres=("classical", "electronic", "pop", "rock"), skill=skill, dimensions=6,
                epochs=6 * (number % 2),
            )
            for number, skill in enumerate((3.0, 2.5, 2.0, 1.8, 1.5, 1.0, 0.6, 0.2))
        ]  # fmt: skip
        page = folder / "report.html"
        page.write_text(make_report(runs, ReportRequest(method="pca")), encoding="utf-8")
    return page


def scrolled(page: Any) -> Any:
    """The page with every chart drawn."""
    for place in range(0, page.evaluate("document.body.scrollHeight"), 600):
        page.evaluate(f"scrollTo(0, {place})")
        page.wait_for_timeout(20)
    page.wait_for_selector("#map-chart[data-points]")
    page.wait_for_selector("#curves-loss svg path", state="attached")
    return page


@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "dark")])
def test_nothing_is_cut_off_or_covered(
    browse: Callable[..., Opened], eight_systems: Path, width: int, scheme: str
) -> None:
    page = scrolled(browse(eight_systems, width=width, color_scheme=scheme).page)
    for opened in ("false", "true"):
        page.evaluate(
            f"document.querySelectorAll('details').forEach((one) => {{ one.open = {opened}; }})"
        )
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(CUT_OFF) == []
        assert page.evaluate(OVERLAPPING) == []


def test_a_mark_stands_apart_from_its_figure(
    browse: Callable[..., Opened], eight_systems: Path
) -> None:
    page = browse(eight_systems).page
    gaps = page.evaluate(
        """() => [...document.querySelectorAll(".mark")].filter((one) => one.textContent)
          .map((one) => parseFloat(getComputedStyle(one).paddingLeft))"""
    )
    assert gaps
    assert min(gaps) >= 2


def test_a_phone_is_not_scrolled_for_ever(
    browse: Callable[..., Opened], eight_systems: Path
) -> None:
    page = scrolled(browse(eight_systems, width=PHONE).page)
    assert page.evaluate("document.documentElement.scrollHeight") < HIGHEST_PHONE
    assert page.locator("#calibration .card:visible").count() == 1
    page.locator("#calibration select").select_option(index=3)
    shown = page.locator("#calibration .card:visible figcaption b")
    assert shown.all_inner_texts() == [page.locator("#calibration option").nth(3).inner_text()]
    assert page.locator("#hardest details[open]").count() == 0
    page.locator("#hardest summary").first.click()
    assert page.locator("#hardest .answers").first.is_visible()
    figures = page.locator("#comparison tbody tr").first.locator("td.figure:visible")
    few = figures.count()
    page.locator("#all-figures").check()
    assert figures.count() > few


def test_figures_on_other_datasets_fit_a_phone(
    browse: Callable[..., Opened], mgc_home: Path, tmp_path: Path
) -> None:
    run = made_run(tracks=160)
    made = Evaluation(
        run=run.name, dataset="recordings-of-a-radio-station_from-1965-to-1999",
        figures=run.scores["test"], groups=20, unit="artists", genres={}, quarantined={},
        without_counterpart={"polka": 123_456}, without_tracks=[], failures=[], heard_before=3,
        learnt=2, not_told=0, sets=None, no_sets="",
    )  # fmt: skip
    write_json(run.folder / "evaluations" / "other.json", made.as_dict())
    report = tmp_path / "report.html"
    report.write_text(make_report([run], ReportRequest(method="pca")), encoding="utf-8")
    page = browse(report, width=PHONE).page
    table = page.locator("#elsewhere .scroll")
    assert "1965" in table.inner_text()
    assert table.evaluate("(one) => one.scrollWidth - one.clientWidth") <= 0
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    assert page.evaluate(CUT_OFF) == page.evaluate(OVERLAPPING) == []


def test_a_desk_sees_everything_at_once(browse: Callable[..., Opened], eight_systems: Path) -> None:
    page = browse(eight_systems, width=DESK).page
    assert page.locator("#calibration .card:visible").count() == 8
    assert page.locator("details.fold:not([open])").count() == 0


def test_the_menu_has_the_headings(browse: Callable[..., Opened], eight_systems: Path) -> None:
    page = browse(eight_systems).page
    menu = page.locator("nav a").all_inner_texts()
    assert menu == page.locator("main h2").all_inner_texts()
    assert "Learning curves" in menu
    targets = page.eval_on_selector_all("nav a", "all => all.map((one) => one.hash)")
    for target, heading in zip(targets, menu, strict=True):
        assert page.locator(f"{target} h2").inner_text() == heading


def test_the_points_fill_the_map(browse: Callable[..., Opened], eight_systems: Path) -> None:
    page = scrolled(browse(eight_systems).page)
    used = page.evaluate(
        """() => {
          const holder = byId("map-chart"), map = report.runs[chosen.run].map.ready;
          const chart = echarts.getInstanceByDom(holder), axes = { xAxisIndex: 0, yAxisIndex: 0 };
          const place = (i) => chart.convertToPixel(axes, [map.x[i], map.y[i]]);
          const places = [...map.x.keys()].map(place);
          return [holder.clientWidth, holder.clientHeight].map((size, axis) => {
            const along = places.map((one) => one[axis]);
            return (Math.max(...along) - Math.min(...along)) / size;
          });
        }"""
    )
    assert max(used) > 0.85
    assert min(used) > 0.6


def test_the_kept_epochs_are_said_and_drawn(
    browse: Callable[..., Opened], eight_systems: Path
) -> None:
    page = scrolled(browse(eight_systems).page)
    assert "epoch 6, 6, 6, 6 of 6" in page.inner_text("#curves-reading")
    kept = page.evaluate(
        """() => echarts.getInstanceByDom(byId("curves-loss")).getOption().series
          .filter((one) => one.type === "scatter")
          .map((one) => one.data.map((point) => point[0]))"""
    )
    assert kept == [[6, 6, 6, 6]] * 2
