"""``mgc review`` without a page: Label Studio, and what cannot be reviewed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mgc

from .reviewing import GENRES, answers


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
