"""Requests that mean harm or are broken: none makes an error of the server's, a file elsewhere, or
the next answer wrong."""

from __future__ import annotations

import itertools
import logging
import re
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import mgc

from . import sounds
from .conftest import Home, Running, running

NAMES = (
    "../../../../etc/passwd",
    "..\\..\\windows\\system32\\a.wav",
    "/etc/cron.d/evil.wav",
    "a\x00b.wav",
    "<img src=x onerror=alert(1)>.wav",
    "'; DROP TABLE tracks; --.wav",
    "\u202egnp.wav",
    "\ud7ff" * 300 + ".wav",
    "CON",
    "",
    ".",
    "..",
    "%2e%2e%2fa.wav",
    "a\r\nX-Evil: 1.wav",
)
BODIES = {
    "empty": b"",
    "one byte": b"\x00",
    "zip": sounds.zipped(),
    "video": sounds.video(),
    "html": b"<!doctype html><script>alert(1)</script>",
    "cut mp3": sounds.audio("MP3")[:700],
    "cut flac": sounds.audio("FLAC")[:500],
    "cut ogg": sounds.audio("OGG")[:4_000],
    "cut wav": sounds.audio()[:30],
    "10 h flac": sounds.flac_of(10),
    "10 h wav": sounds.wav_of(10),
    "too long": sounds.audio("FLAC", seconds=75),
    "too short": sounds.audio(seconds=0.01),
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "pipe name": b"/dev/zero",
    "playlist": b"#EXTM3U\nfile:///etc/passwd\n",
    "riff": b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff",
    "id3": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(64),
    "ogg pages": b"OggS" * 2_000,
}
TYPES = (
    "text/html",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/mixed; boundary=x",
    "video/mp4",
    "audio/",
    "",
)
FORMS = (
    b"",
    b"--x--\r\n",
    b"--x\r\n\r\n",
    b"--y\r\nContent-Disposition: form-data; name=file\r\n\r\nabc",
    b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc",
    b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name=run\r\n\r\n" + b"a" * 5_000 + b"\r\n--x--\r\n",
    b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n--x--\r\n",
    b"--x\r\n" + b"A" * 100_000,
    b"--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\na\r\n" * 50 + b"--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n" * 500 + b"--x--\r\n",
    b"\xff\xfe" * 100,
)
PATHS = (
    *("/v1/tracks/two/..%2f..%2frun.json/audio", "/v1/tracks/../../etc/passwd/audio"),
    *("/v1/tracks/%2e%2e/x/audio", "/v1/tracks/two//audio", "/v1/tracks/two/%00/audio"),
    *("/v1/tracks/none/x/audio", "/v1/tracks/two/" + "a" * 5_000 + "/audio", "/static/../app.py"),
    *("/static/%2e%2e/%2e%2e/app.py", "//etc/passwd", "/v1", "/v1/predict/", "/.git/config"),
)


@pytest.fixture(autouse=True)
def unharmed(server: Running, home: Home, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is left or changed, no error is logged, and the server answers as before."""
    caplog.set_level(logging.INFO, "mgc_serve")
    before = _files(home.folder)
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    with server.client() as client:
        said = client.post("/v1/predict", files={"file": sounds.audio()})
        assert (said.status_code, said.json()["answers"][0]["genre"]) == (200, "calm")
    assert _files(home.folder) == before
    folder, deadline = server.app.state.service.folder, time.monotonic() + 30
    while left := [path for path in folder.rglob("*") if path.is_file()]:  # removed after answers
        assert time.monotonic() < deadline, left


def _files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def harmless(said: httpx.Response) -> httpx.Response:
    """An answer that is neither a failure of the server nor tells of its inside."""
    assert said.status_code < 500, said.text
    assert "Traceback" not in said.text
    assert "/tmp" not in re.sub(r"[\w+/]{1000,}", "", said.text)  # a picture in base64 may hold it
    if said.status_code >= 400:
        assert said.headers["content-type"] == "application/problem+json"
    return said


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/similar", "/v1/explain"])
def test_bodies_that_are_no_music(path: str, client: httpx.Client) -> None:
    for what, body in BODIES.items():
        raw = client.post(path, content=body, headers={"Content-Type": "audio/mpeg"})
        form = client.post(path, files={"file": (f"{what}.mp3", body)})
        for said in (harmless(raw), harmless(form)):
            readable = {"10 h flac", "10 h wav"} | (
                {"too long"} if "predict" not in path else set()
            )
            assert said.status_code == 422 or what in readable, what


def test_names_are_never_paths(client: httpx.Client) -> None:
    for name, good in itertools.product(NAMES, (True, False)):
        body = sounds.audio() if good else b"no audio"
        boundary = b"a2d9"
        quoted = name.encode("utf-8", "replace").replace(b'"', b"%22")
        form = b'--%s\r\nContent-Disposition: form-data; name=file; filename="%s"\r\n\r\n%s\r\n'
        form = form % (boundary, quoted, body) + b"--%s--\r\n" % boundary
        kind = "multipart/form-data; boundary=a2d9"
        said = harmless(client.post("/v1/predict", content=form, headers={"Content-Type": kind}))
        if said.status_code == 200:
            shown = said.json()["answers"][0]["file"]
            assert "/" not in shown
            assert "\\" not in shown
            assert shown.isprintable()
        assert said.headers["content-type"].split(";")[0].endswith("json")  # never HTML


def test_types_and_forms_that_are_wrong(client: httpx.Client) -> None:
    for kind in TYPES:
        headers = {"Content-Type": kind.encode("latin-1")}
        said = harmless(client.post("/v1/predict", content=sounds.audio(), headers=headers))
        assert said.status_code in (400, 415)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for form in FORMS:
        said = harmless(client.post("/v1/predict", content=form, headers=kind))
        assert said.status_code in (400, 413, 422)


def test_paths_and_methods_that_are_not_there(client: httpx.Client) -> None:
    for path in PATHS:
        assert harmless(client.get(path)).status_code in (404, 405, 307)
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        assert harmless(client.request(method, "/v1/predict")).status_code == 405


def test_too_much_is_refused_before_it_is_taken(server: Running, client: httpx.Client) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2 << 30:
            sent += 1 << 16
            yield bytes(1 << 16)

    kind = {"Content-Type": "audio/wav"}
    with suppress(httpx.WriteError):  # it has answered and closed while this was sending
        assert client.post("/v1/predict", content=endless(), headers=kind).status_code == 413
    assert sent < 64 << 20
    claims = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: audio/wav\r\n"
    claims = claims % server.port + b"Content-Length: 2147483648\r\n\r\n"
    assert b" 413 " in _raw(server, claims)
    files = [("file", (f"{number}.wav", sounds.audio())) for number in range(6)]
    assert client.post("/v1/predict", files=files).status_code == 413


def _raw(server: Running, content: bytes) -> bytes:
    """The beginning of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as link:
        link.sendall(content)
        return link.recv(1 << 16)


def _begun(server: Running) -> bytes:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: audio/wav\r\n"
    return head % server.port + b"Content-Length: 100000\r\n\r\nRIFF"


def test_clients_that_hang_or_vanish(server: Running) -> None:
    with running(replace(server.settings, idle_seconds=0.5, workers=1)) as impatient:
        assert b" 408 " in _raw(impatient, _begun(impatient))
    for _ in range(20):
        link = socket.create_connection(("127.0.0.1", server.port))
        link.sendall(_begun(server))
        link.close()
    whole = sounds.audio()
    for _ in range(10):  # gone while their audio is heard
        link = socket.create_connection(("127.0.0.1", server.port))
        link.sendall(_begun(server).replace(b"100000", b"%d" % len(whole))[:-4] + whole)
        link.close()
    explain = _begun(server).replace(b"predict", b"explain").replace(b"100000", b"%d" % len(whole))
    for milliseconds in range(0, 600, 30):  # or while what decides is drawn
        link = socket.create_connection(("127.0.0.1", server.port))
        link.sendall(explain[:-4] + whole)
        time.sleep(milliseconds / 1000)
        link.close()
    while server.app.state.service.in_hand:
        pass
    for line in (b"\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"G" * 70_000):
        assert b" 500 " not in _raw(server, line + b"\r\n\r\n")


def test_a_hundred_uploads_at_once(server: Running) -> None:
    def upload(number: int) -> Any:
        with server.client() as client:
            body = sounds.audio("MP3", ("calm", "harsh")[number % 2], number)
            return client.post("/v1/predict", files={"file": (f"{number}.mp3", body)})

    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(upload, range(100)))
    for number, said in enumerate(answers):
        (answer,) = harmless(said).json()["answers"]
        assert (answer["file"], answer["genre"]) == (f"{number}.mp3", ("calm", "harsh")[number % 2])


def test_workers_that_die_are_replaced(server: Running, client: httpx.Client) -> None:
    workers = server.app.state.service.workers
    before = workers.replaced
    for pid in workers.pids:
        process = psutil.Process(pid)
        process.kill()
        psutil.wait_procs([process])
    for _ in range(4):
        assert client.post("/v1/predict", files={"file": sounds.audio()}).status_code == 200
    assert workers.replaced > before


def test_a_run_removed_while_serving(server: Running, client: httpx.Client, home: Home) -> None:
    run = mgc.finished_runs()[0]
    other = run.folder.parent / "copy"
    shutil.copytree(run.folder, other)
    asked = {"params": {"run": "copy"}, "files": {"file": sounds.audio()}}
    assert client.post("/v1/predict", **asked).status_code == 200
    shutil.rmtree(other)
    said = harmless(client.post("/v1/predict", **asked))
    assert said.status_code == 404
    assert "copy" not in {run["name"] for run in client.get("/v1/runs").json()["runs"]}
    shutil.copytree(run.folder, other)
    (other / "run.json").write_text("{}")
    assert harmless(client.post("/v1/predict", **asked)).status_code == 404
    shutil.rmtree(other)
    shutil.copytree(run.folder, other)
    shutil.rmtree(other / "fold-0")
    assert harmless(client.post("/v1/predict", **asked)).status_code == 409
    shutil.rmtree(other)
