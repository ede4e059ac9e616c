"""``mgc review``: a real server, a real browser, and what is left after both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mgc

from . import reviewing
from .openapi_schema import fits, promised
from .reviewing import GENRES, TITLE, Server, start

WRONG = {f"ambient/{artist}/0 #1?" for artist in range(3)}
GOOD = "jazz/0/0 #1?"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a dataset and its runs."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("reviewed") / "home"
        patch.setenv("MGC_HOME", str(home))
        reviewing.make_home(tmp_path_factory.mktemp("music") / "music")
        yield home


@pytest.fixture(autouse=True)
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, without any answers."""
    monkeypatch.setenv("MGC_HOME", str(made))
    shutil.rmtree(made / "corrections", ignore_errors=True)
    return made


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[Server]:
    """A server that reviews the dataset."""
    started = start(made)
    yield started
    started.process.kill()
    started.process.wait()


def answers() -> dict[str, Any]:
    """What was said, by track: the answer and the genres."""
    found = mgc.datasets.corrections_of("m").answers()
    return {track: (one.answer, *one.genres) for track, one in found.items()}


def test_the_queue_begins_with_the_wrong_labels(server: Server) -> None:
    status, state = server.ask("/v1/review/queue?count=40")
    assert status == 200
    assert state["genres"] == sorted(GENRES.values())
    first = [track["track_id"] for track in state["tracks"]]
    assert len(WRONG.intersection(first[:4])) >= 2
    assert set(first) > WRONG
    track = next(track for track in state["tracks"] if track["track_id"] in WRONG)
    assert (track["label"], track["suggested"]) == (GENRES["metal"], "ambient")
    assert {view["name"] for view in track["views"]} == {"mfcc · logistic", "chroma · logistic"}
    assert state["commands"][0] == "mgc data correct m"
    assert (state["answered"], state["left"]) == (0, len(state["tracks"]))
    with_sound = server.address + track["audio"]
    with reviewing.urllib.request.urlopen(with_sound, timeout=60) as sound:
        assert sound.headers["Content-Type"].startswith("audio/")


def test_the_answers_of_the_review_are_as_documented(server: Server) -> None:
    told = server.ask("/v1/review/queue?count=2")[1]
    fits(told, promised("/v1/review/queue", "get"))
    said = {"track_id": told["tracks"][0]["track_id"], "answer": "skip"}
    fits(server.ask("/v1/review/answers", said)[1], promised("/v1/review/answers"))
    for _ in range(2):  # the second finds nothing to take back
        fits(server.ask("/v1/review/undo", {})[1], promised("/v1/review/undo"))


def test_killed_in_the_middle_no_answer_is_lost(home: Path) -> None:
    server = start(home)
    tracks = list(mgc.datasets.load("m").tracks["track_id"])
    kept: list[str] = []
    ten = threading.Event()

    def review() -> None:
        while True:
            track = tracks[len(kept) % len(tracks)]
            told = {"track_id": track, "answer": "genre", "genres": ["jazz"]}
            try:
                status, _ = server.ask("/v1/review/answers", told)
            except OSError:
                return
            assert status == 200
            kept.append(track)
            if len(kept) == 10:
                ten.set()

    person = threading.Thread(target=review)
    person.start()
    assert ten.wait(60)
    os.kill(server.process.pid, signal.SIGKILL)
    person.join()
    server.process.wait()
    lines = mgc.datasets.corrections_of("m").path.read_bytes().splitlines()
    said = [json.loads(line)["track_id"] for line in lines]
    # The last one may have been kept without that its answer arrived.
    assert said[: len(kept)] == kept
    assert len(said) - len(kept) in (0, 1)
    again = start(home)
    try:
        _, state = again.ask("/v1/review/queue")
        assert (state["answered"], state["last"]) == (len(set(said)), said[-1])
        _, undone = again.ask("/v1/review/undo", {})
        assert undone["track_id"] == said[-1]
    finally:
        again.process.kill()
        again.process.wait()


def test_what_cannot_be_said_is_a_problem_and_changes_nothing(server: Server) -> None:
    good = {"track_id": GOOD, "answer": "genre", "genres": ["jazz"]}
    for told, expected in (
        ({**good, "track_id": "../../etc/passwd"}, 400),
        ({**good, "genres": ["polka"]}, 400),
        ({**good, "genres": []}, 400),
        ({**good, "genres": ["jazz", "ambient"]}, 400),
        ({**good, "genres": "jazz"}, 400),
        ({**good, "answer": "undo"}, 400),
        ({**good, "answer": None}, 400),
        ({**good, "answer": "not music"}, 400),
        (["jazz"], 400),
        (b"{", 400),
        (b"[" * 30_000, 400),
        (b" " * 100_000, 413),
        ({}, 400),
    ):
        status, problem = server.ask("/v1/review/answers", told)
        assert (status, problem["status"]) == (expected, expected), told
    form = server.ask("/v1/review/answers", good, Content_Type="text/plain")
    assert form[0] == 415
    assert server.ask("/v1/review/answers", good, Origin="https://example.org")[0] == 403
    assert server.ask("/v1/review/queue?count=x")[0] == 400
    assert server.ask("/v1/review/queue?count=-1")[0] == 400
    assert answers() == {}
    assert server.ask("/v1/review/undo", {}) == (
        200, {"track_id": None, "track": None, "answered": 0},
    )  # fmt: skip
    assert server.ask("/v1/review/answers", good)[0] == 200
    assert answers() == {GOOD: ("genre", "jazz")}


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


def test_label_studio_gets_tasks_and_gives_answers(home: Path, tmp_path: Path) -> None:
    from mgc_serve.review.command import review
    from mgc_serve.review.session import Review

    queue = [doubt.track_id for doubt in Review("m").doubts()]
    said = mgc.datasets.corrections_of("m")
    given = [
        (queue[0], "genre", ["jazz"]),
        (queue[1], "several", ["jazz", GENRES["metal"]]),
        (queue[2], "not music", []),
        (queue[3], "skip", []),
        (queue[4], "several", []),
    ]
    said.add(given)
    before, file = answers(), tmp_path / "tasks.json"
    review("m", export=file)
    tasks = json.loads(file.read_text())
    assert [task["data"]["track_id"] for task in tasks] == queue
    assert Path(tasks[0]["data"]["audio"]).is_file()
    (predicted,) = tasks[5]["predictions"][0]["result"]
    assert predicted["value"]["choices"][0] in GENRES.values()
    assert tasks[5]["annotations"] == []
    said.path.unlink()
    review("m", import_=file)
    assert answers() == before
    lines = said.path.read_bytes()
    review("m", import_=file)
    assert said.path.read_bytes() == lines
    for content, words in (
        ("{}", "not a list of tasks"),
        ("[", "cannot be read"),
        ('[{"annotations": [{"result": [{"from_name": "genre"}]}]}]', "Task 1"),
        ('[{"annotations": [3], "data": {"track_id": 1}}]', "Task 1"),
        (file.read_text().replace('"jazz"', '"polka"'), "polka"),
    ):
        file.write_text(content)
        with pytest.raises(mgc.UsageError, match=words):
            review("m", import_=file)
    assert said.path.read_bytes() == lines


def test_what_cannot_be_reviewed_is_said_at_once(home: Path) -> None:
    from mgc_serve.review.command import review

    with pytest.raises(mgc.UsageError, match="No dataset is named"):
        review("none")
    with pytest.raises(mgc.UsageError, match="no finished run 'nobody'"):
        review("m", run="nobody")
    with pytest.raises(mgc.UsageError, match="could correct labels"):
        review("m", host="0.0.0.0")
