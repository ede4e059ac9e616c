"""The answers: those of `mgc predict`, in the form that the document promises."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest
from mgc_serve.runbook import RunBook
from mgc_serve.work import waveform

import mgc

from . import sounds
from .conftest import Home, Running
from .openapi_schema import fits, promised

FORMS = {"a.wav": "WAV", "b.flac": "FLAC", "c.mp3": "MP3", "d.ogg": "OGG"}


@pytest.mark.parametrize("which", ["run", "ensemble"])
def test_answers_are_those_of_mgc_predict(
    which: str,
    client: httpx.Client,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mgc.cli import app

    name = getattr(home, which)
    for number, (file, form) in enumerate(FORMS.items()):
        genre = ("calm", "harsh")[number % 2]
        (tmp_path / file).write_bytes(sounds.audio(form, genre, 100 + number))
    monkeypatch.setattr(sys, "argv", ["mgc", "predict", str(tmp_path), "--run", name, "--json"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert not ended.value.code
    expected = json.loads(capsys.readouterr().out)
    parts = [("file", (file, (tmp_path / file).read_bytes())) for file in FORMS]
    said = client.post("/v1/predict", params={"run": name, "views": "true"}, files=parts)
    assert said.status_code == 200, said.text
    fits(said.json(), promised("/v1/predict"))
    answers = said.json()["answers"]
    assert [Path(each["path"]).name for each in expected] == [a["file"] for a in answers]
    for one, answer in zip(expected, answers, strict=True):
        assert answer["genre"] == one["genre"]
        assert list(answer["probabilities"]) == said.json()["genres"]
        ranked = sorted(answer["probabilities"].items(), key=lambda pair: -pair[1])
        assert [genre for genre, _ in ranked] == list(one["probabilities"])
        for genre, share in ranked:
            assert share == pytest.approx(one["probabilities"][genre], abs=1e-6)
        assert answer["probability"] == pytest.approx(one["probability"], abs=1e-6)
        assert (answer["known"], answer["unlike"]) == (one["known"], one["unlike"])
        views = answer["views"]
        if which == "run":
            assert views is None
        else:
            assert [view["name"] for view in views] == ["mfcc · logistic", "chroma · logistic"]
            for genre, share in answer["probabilities"].items():
                mean = sum(view["probabilities"][genre] for view in views) / 2
                assert share == pytest.approx(mean, abs=1e-6)


def test_options_change_the_answer_as_in_python(client: httpx.Client, home: Home) -> None:
    path = home.music / "calm" / "0.wav"
    model = mgc.load(home.run)
    expected = model.predict(path, unknown=0)
    asked = {"timeline": "1", "window": "1", "hop": "1", "coverage": "0.8", "unknown": "0"}
    body = {"content": path.read_bytes(), "headers": {"Content-Type": "audio/wav"}}
    said = client.post("/v1/predict", params={**asked, "waveform": "yes", "name": "0.wav"}, **body)
    fits(said.json(), promised("/v1/predict"))
    (answer,) = said.json()["answers"]
    assert answer["file"] == "0.wav"
    assert answer["known"] is True
    assert answer["genres_at"] == expected.genres_at(0.8)
    assert answer["heard_before"]["track_id"] == "calm/0.wav"
    segments = model.timeline(path, 1, 1).segments
    assert [(s["start"], s["end"], s["genre"]) for s in answer["timeline"]] == [
        (s.start, s.end, s.genre) for s in segments
    ]
    assert len(answer["waveform"]) == 800
    wave = sounds.sound("calm", 0)
    assert min(low for low, _ in answer["waveform"]) == pytest.approx(wave.min(), abs=1e-3)
    assert max(high for _, high in answer["waveform"]) == pytest.approx(wave.max(), abs=1e-3)


def test_a_waveform_of_pieces_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(sounds.audio(seconds=8.0))
    whole = waveform(path, 8.0, 80)
    monkeypatch.setattr("mgc_serve.work.PIECE_SECONDS", 2.0)
    assert waveform(path, 8.0, 80) == whole


def test_similar_tracks_can_be_heard(client: httpx.Client, home: Home) -> None:
    path = home.music / "harsh" / "5.wav"
    said = client.post(
        "/v1/similar", params={"count": "4"}, files={"file": ("5.wav", path.read_bytes())}
    )
    fits(said.json(), promised("/v1/similar"))
    expected = mgc.load(home.run).similar(path, count=4)
    tracks = said.json()["tracks"]
    assert [t["track_id"] for t in tracks] == [t.track_id for t in expected]
    assert all(t["track_id"] != "harsh/5.wav" for t in tracks)  # it is itself a known track
    sound = client.get(tracks[0]["audio"], headers={"Range": "bytes=0-3"})
    assert (sound.status_code, sound.content) == (206, b"RIFF")
    aiff = client.get("/v1/tracks/two/calm%2F3.aiff/audio")
    assert (aiff.headers["content-type"], aiff.content[:4]) == ("audio/wav", b"RIFF")


def test_an_explanation_is_that_of_python(client: httpx.Client, home: Home) -> None:
    path = home.music / "calm" / "7.wav"
    said = client.post("/v1/explain", files={"file": path.read_bytes()})
    fits(said.json(), promised("/v1/explain"))
    expected = mgc.load(home.run).explain(path)
    assert said.json()["genre"] == expected.genre
    effects = [part.effect for part in expected.seconds]
    assert [part["effect"] for part in said.json()["seconds"]] == pytest.approx(effects, abs=1e-6)
    assert said.json()["picture"].startswith("data:image/png;base64,iVBOR")


def test_runs_state_and_figures(client: httpx.Client, home: Home) -> None:
    runs = client.get("/v1/runs").json()
    fits(runs, promised("/v1/runs", "get"))
    by_name = {run["name"]: run for run in runs["runs"]}
    assert by_name[home.run]["default"]
    assert len(by_name[home.ensemble]["members"]) == 2
    assert 0.5 < by_name[home.run]["accuracy"] <= 1
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"ready": True, "problem": None}
    client.post("/v1/predict", files={"file": sounds.audio()})
    text = client.get("/metrics").text
    assert 'mgc_serve_requests_total{path="/v1/predict",method="POST",status="200"}' in text
    assert 'mgc_serve_request_seconds_bucket{path="/v1/predict",le="+Inf"}' in text
    assert "mgc_serve_in_hand 0" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"run": "other"}, (404, "other")),
        ({"run": "../../etc"}, (404, "etc")),
        ({"coverage": "2"}, (400, "0.01 to 0.999")),
        ({"unknown": "nan"}, (400, "0 to 0.5")),
        ({"timeline": "perhaps"}, (400, "true or false")),
        ({"timline": "1"}, (400, "timline")),
        ({"timeline": "1", "window": "1", "hop": "5"}, (400, "hop")),
    ],
)
def test_wrong_options_are_problems(
    asked: dict[str, str], said: tuple[int, str], client: httpx.Client
) -> None:
    for fields in ({"params": asked}, {"data": asked}):
        answer = client.post("/v1/predict", files={"file": sounds.audio()}, **fields)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["status"]) == (said[0], said[0])
        assert said[1] in answer.json()["detail"] + answer.json().get("hint", "")


def test_a_file_that_cannot_be_used_does_not_stop_the_others(client: httpx.Client) -> None:
    parts = [("file", ("a.wav", sounds.audio())), ("file", ("b.wav", b"no audio"))]
    answer = client.post("/v1/predict", files=parts)
    fits(answer.json(), promised("/v1/predict"))
    good, bad = answer.json()["answers"]
    assert good["genre"] == "calm"
    assert bad["error"]["status"] == 422
    assert bad["error"]["detail"].startswith("b.wav: ")
    alone = client.post("/v1/predict", files=parts[1:])
    assert alone.status_code == 422
    lenient = client.post("/v1/predict", params={"lenient": "1"}, files=parts[1:])
    assert lenient.json()["answers"] == [bad]


def test_runs_are_told_if_none_is_the_default(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def several() -> None:
        raise mgc.UsageError("There are several datasets: a, b.")

    monkeypatch.setattr(mgc, "answering_run", several)
    entries = RunBook(None).entries()
    assert home.run in [entry["name"] for entry in entries]
    assert not any(entry["default"] for entry in entries)


def test_a_lone_file_is_answered_where_it_is_heard(
    home: Home, server: Running, client: httpx.Client
) -> None:
    """Nothing can be answered together with it; the answer is that of the models' thread."""
    asked = {"views": "1", "coverage": "0.9", "run": home.ensemble}
    batches = server.app.state.service.metrics._values["batches_total"]
    parts = [("file", ("a.wav", sounds.audio())), ("file", ("b.wav", sounds.audio(genre="harsh")))]
    before = batches.total()
    alone = [
        client.post("/v1/predict", params=asked, files=[part]).json()["answers"][0]
        for part in parts
    ]
    assert batches.total() == before
    together = client.post("/v1/predict", params=asked, files=parts).json()["answers"]
    assert batches.total() > before
    for one, other in zip(alone, together, strict=True):
        assert one.pop("probabilities") == pytest.approx(other.pop("probabilities"), abs=1e-6)
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)
        assert [one[key] for key in ("genre", "known", "genres_at", "file", "seconds")] == [
            other[key] for key in ("genre", "known", "genres_at", "file", "seconds")
        ]
        assert [view["name"] for view in one["views"]] == [view["name"] for view in other["views"]]


def test_figures_of_runs_are_read_by_the_workers(
    home: Home, server: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the server's own process they would hold up every answer."""
    here: list[str] = []
    figures = mgc.Run.figures.fget
    monkeypatch.setattr(mgc.Run, "figures", property(lambda run: here.append(run) or figures(run)))
    server.app.state.service.runs._entries.clear()
    told = {entry["name"]: entry["accuracy"] for entry in client.get("/v1/runs").json()["runs"]}
    assert not here
    assert told[home.run] == mgc.load(home.run).run.figures["accuracy"]


def test_the_document_has_every_route(server: Running, client: httpx.Client) -> None:
    paths = {
        route.path.replace(":path", "") for route in server.app.routes if route.path[1:3] == "v1"
    }
    documented = client.get("/openapi.json").json()["paths"]
    assert paths <= set(documented)
