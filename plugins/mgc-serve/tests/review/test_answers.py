"""A real server: the queue, the answers, and what is left of both after it was killed."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import mgc
from tests.openapi_schema import fits, promised

from . import reviewing
from .reviewing import GENRES, Server, answers, start

WRONG = {f"ambient/{artist}/0 #1?" for artist in range(3)}
GOOD = "jazz/0/0 #1?"


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
