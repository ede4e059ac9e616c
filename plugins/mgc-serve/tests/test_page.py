"""The page in a browser: synthesised music is dropped on the real server, and looked at."""

from __future__ import annotations

import base64
import contextlib
import csv
import importlib.util
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from mgc_serve.page.routes import routes
from mgc_serve.settings import Settings
from starlette.applications import Starlette
from starlette.testclient import TestClient

from .conftest import running

GENRES = ("classical", "electronic", "metal")
ARTISTS, SECONDS, RATE = 8, 8.0, 22_050
HTML = "<img src=x onerror=alert(1)> & Co.wav"
MIX = "mix.wav"
BROKEN = "broken.mp3"
WAIT = 60.0  # s; only a page that hangs needs so long


def tune(genre: str, artist: int, track: int, seconds: float = SECONDS) -> np.ndarray:
    from mgc.datasets.synthesis.compose import synthesise

    return synthesise(genre, artist, track, seconds=seconds)


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
        opened.page.on("console", lambda message: _note(opened, message))
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


def _note(opened: Opened, message: Any) -> None:
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


def test_five_songs_and_a_broken_one(browse: Browse, songs: list[Path], tmp_path: Path) -> None:
    """What is shown, heard and exported is what mgc answers."""
    import mgc

    opened = browse()
    page = opened.page
    drop(opened, songs)
    opened.answered(6)
    model = mgc.load("three-mean-probability-1")
    expected = {path.name: model.predict(path) for path in songs[:-1]}
    assert any(answer.known for answer in expected.values())
    for name, answer in expected.items():
        shown = opened.row(name).inner_text()
        assert (answer.genre if answer.known else "unknown") in shown
        if answer.known:
            assert percent(answer.probability) in shown
    assert "cannot be used" in opened.row(BROKEN).inner_text()

    opened.choose(BROKEN)
    assert "does not decode" in page.inner_text("#answer")
    assert page.inner_text("#said") == f"{BROKEN}: cannot be used"

    opened.choose(MIX)
    parts = [(s.start, s.end, s.genre) for s in model.timeline(songs[4]).segments]
    assert len(parts) > 1
    opened.until(f"document.querySelectorAll('.lane li').length === {len(parts)}")
    lane = page.locator(".lane button").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert [label.split(": ")[1].split(",")[0] for label in lane] == [g for *_, g in parts]
    table = page.locator(".views tbody tr")
    assert [row.split("\t")[0] for row in table.all_inner_texts()] == sorted(
        GENRES, key=lambda genre: -expected[MIX].probabilities[genre]
    )
    heads = page.locator(".views thead th").all_inner_texts()
    assert heads == ["Together", "mfcc · logistic", "chroma · logistic"]

    page.locator(".player .play").click()
    opened.until("document.querySelector('.player .play').ariaLabel === 'Pause'")
    opened.until("document.querySelector('.wave input').value > 0.2")
    page.locator(".lane button").last.click()
    opened.until(f"document.querySelector('.wave input').value >= {parts[-1][0]:.0f} - 0.5")

    page.wait_for_selector(".songs .play")
    page.locator(".songs .play").first.click()
    opened.until("document.querySelector('.songs .play').ariaLabel.startsWith('Pause')")
    assert page.get_attribute(".player .play", "aria-label") == "Play"

    with page.expect_download() as download:
        page.click("#export")
    download.value.save_as(tmp_path / "genres.csv")
    with (tmp_path / "genres.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == [path.name for path in songs]
    for name, answer in expected.items():
        assert rows[name]["genre"] == answer.genre
        assert float(rows[name]["probability"]) == pytest.approx(answer.probability, abs=1e-6)
        shares = [float(rows[name][genre]) for genre in model.genres]
        assert shares == pytest.approx(list(answer.probabilities.values()), abs=1e-6)
        assert rows[name]["set"] == "; ".join(answer.genres_at(0.9))
        assert rows[name]["known"] == str(answer.known)
    assert "does not decode" in rows[BROKEN]["error"]


def test_csv_has_the_columns_of_the_command_line(
    browse: Browse,
    songs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mgc.cli import app

    words = ["predict", str(songs[0]), "--run", "three-chroma-logistic-1", "--csv"]
    monkeypatch.setattr(sys, "argv", ["mgc", *words, "--coverage", "0.9", "--workers", "1"])
    with contextlib.suppress(SystemExit):
        app.main()
    told = capsys.readouterr().out
    opened = browse()
    opened.page.set_input_files("#files", songs[0])
    opened.answered(1)
    with opened.page.expect_download() as download:
        opened.page.click("#export")
    download.value.save_as(tmp_path / "genres.csv")
    assert (tmp_path / "genres.csv").read_text().splitlines()[0] == told.splitlines()[0]


def test_why(browse: Browse, songs: list[Path]) -> None:
    opened = browse()
    drop(opened, songs[:1])
    opened.answered(1)
    opened.page.locator(".why > button").click()
    opened.until("document.querySelector('.why img')?.naturalWidth > 300")
    opened.page.get_by_role("button", name="Play the telling part").click()
    opened.until("document.querySelector('.player .play').ariaLabel === 'Pause'")


def test_another_model_answers_all_files_anew(browse: Browse, songs: list[Path]) -> None:
    import mgc

    opened = browse()
    drop(opened, songs[:3])
    opened.answered(3)
    opened.page.select_option("#run", "three-mfcc-logistic-1")
    opened.until("document.querySelectorAll('.views thead th').length === 1")
    opened.answered(3)
    model = mgc.load("three-mfcc-logistic-1")
    for path in songs[:3]:
        answer = model.predict(path)
        if answer.known:
            assert percent(answer.probability) in opened.row(path.name).inner_text()


def test_a_folder_brings_its_music_only(browse: Browse, songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "album" / "disc").mkdir(parents=True)
    shutil.copy(songs[0], tmp_path / "album" / "disc" / "1.wav")
    (tmp_path / "album" / "cover.jpg").write_bytes(b"jpg")
    opened = browse()
    opened.page.set_input_files("#folder", tmp_path / "album")
    opened.answered(1)
    assert opened.page.inner_text("#table tbody th") == "album/disc/1.wav"
    devtools = opened.page.context.new_cdp_session(opened.page)
    fallen = {"items": [], "files": [str(tmp_path / "album")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": fallen})
    opened.answered(2)
    names = opened.page.locator("#table tbody th").all_inner_texts()
    assert names == ["album/disc/1.wav"] * 2


def test_the_review_is_linked_if_there_is_one() -> None:
    app = Starlette(routes=routes())
    for review in (None, "a <b>"):
        app.state.service = SimpleNamespace(settings=Settings(review=review))
        shown = TestClient(app).get("/").text
        assert ("Review labels of a &lt;b&gt;" in shown) is bool(review)
        assert ('href="review"' in shown) is bool(review)


def test_names_are_text(browse: Browse, songs: list[Path]) -> None:
    opened = browse()
    drop(opened, songs[3:4])
    opened.answered(1)
    assert opened.page.inner_text("#answer-file") == HTML
    assert opened.page.locator("img[src=x]").count() == 0


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


def test_the_microphone_is_recorded_as_wav(browse: Browse) -> None:
    opened = browse(permissions=["microphone"])
    sent: list[bytes] = []
    opened.page.on(
        "request", lambda r: sent.append(r.post_data_buffer or b"") if "predict" in r.url else None
    )
    opened.page.click("#record")
    opened.until("document.getElementById('record-time').textContent >= '0:02'")
    opened.page.click("#record-stop")
    opened.answered(1)
    assert opened.page.inner_text("#table tbody th") == "Recording 1.wav"
    assert opened.page.locator("tr.done").count() == 1
    opened.until("document.querySelector('.wave input').max > 1.4")


def test_a_busy_server_is_asked_again(browse: Browse, songs: list[Path]) -> None:
    tried: list[str] = []

    def busy_once(route: Any) -> None:
        tried.append(route.request.url)
        if len(tried) > 1:
            return route.fallback()
        return route.fulfill(status=503, headers={"Retry-After": "1"}, body="{}")

    opened = browse(prepare=lambda page: page.route("**/v1/predict?*waveform*", busy_once))
    drop(opened, songs[:1])
    opened.answered(1)
    assert len(tried) == 2
    assert opened.page.locator("tr.done").count() == 1
    opened.problems = [said for said in opened.problems if "503" not in said]


def test_the_token_leaves_the_address_and_goes_with_each_request(
    browse: Browse, address: str
) -> None:
    sent: dict[str, str | None] = {}

    def watch(page: Any) -> None:
        page.on("request", lambda r: sent.update({r.url: r.headers.get("authorization")}))

    opened = browse(path="#token=a%20word", prepare=watch)
    assert opened.page.url == address
    assert {url: token for url, token in sent.items() if token} == {
        f"{address}v1/runs": "Bearer a word"
    }


AXE = importlib.util.find_spec("axe_playwright_python")


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
