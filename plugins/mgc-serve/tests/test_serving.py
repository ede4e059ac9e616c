"""A server that has too much to do, or is to stop; what it logs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mgc_serve.service import Service
from mgc_serve.settings import Settings

from . import sounds
from .conftest import Home, Running, running

BEGIN = b"POST /v1/predict HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: audio/wav\r\n"
PROGRAM = "from mgc_serve.serve import run_server; from mgc_serve.settings import Settings; "


def _begin(port: int, body: bytes) -> socket.socket:
    """A request of which half has been sent."""
    link = socket.create_connection(("127.0.0.1", port), timeout=120)
    head = BEGIN % (b"127.0.0.1", port) + b"Content-Length: %d\r\n\r\n" % len(body)
    link.sendall(head + body[: len(body) // 2])
    return link


def test_overload_is_refused_and_ends(home: Home, server: Running) -> None:
    settings = replace(server.settings, max_requests=2, workers=1, idle_seconds=60)
    body = sounds.audio()
    with running(settings) as small, small.client() as client:
        held = [_begin(small.port, body) for _ in range(2)]
        while small.app.state.service.in_hand < 2:
            pass
        said = client.post("/v1/predict", files={"file": body})
        assert said.status_code == 503
        assert said.headers["content-type"] == "application/problem+json"
        assert 1 <= int(said.headers["retry-after"]) <= 60
        assert client.get("/health").status_code == 200
        assert "mgc_serve_refused_total 1" in client.get("/metrics").text
        for link in held:
            link.sendall(body[len(body) // 2 :])
            assert link.recv(12) == b"HTTP/1.1 200"
            link.close()
        while small.app.state.service.in_hand:
            pass
        assert client.post("/v1/predict", files={"file": body}).status_code == 200


@pytest.mark.parametrize("waits_at", ["http.response.start", "http.response.body"])
def test_a_client_that_does_not_read_keeps_nothing(server: Running, waits_at: str) -> None:
    """As when answers before it are still unread: sending waits, but holds no file and no place."""
    body, service = sounds.audio(), server.app.state.service
    headers = {b"host": b"127.0.0.1:1", b"content-type": b"audio/wav"}
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "query_string": b""}
    scope |= {"headers": list(headers.items()), "server": ("127.0.0.1", 1)}

    async def ask() -> list[str]:
        sent, reads, stuck = list[str](), asyncio.Event(), asyncio.Event()
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == waits_at:
                stuck.set()
                await reads.wait()
            sent.append(message["type"])

        asked = asyncio.ensure_future(server.app(scope, receive, send))
        await stuck.wait()
        await asyncio.sleep(0.01)
        assert service.in_hand == 0
        assert not [path for path in service.folder.rglob("*") if path.is_file()]
        reads.set()
        await asked
        return sent

    assert asyncio.run(ask()) == ["http.response.start", "http.response.body"]


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_stop_finishes_what_is_in_hand(home: Home, tmp_path: Path) -> None:
    program = PROGRAM + "from pathlib import Path; import sys; "
    program += "run_server(Settings(port=0, folder=Path(sys.argv[1]), workers=1))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2].strip("/\n"))
    body = sounds.audio()
    with httpx.Client(trust_env=False, timeout=120) as client:
        said = client.post(f"http://127.0.0.1:{port}/v1/predict", files={"file": body})
    assert said.status_code == 200
    link = _begin(port, body)
    metrics = f"http://127.0.0.1:{port}/metrics"
    while "in_hand 1" not in httpx.get(metrics, trust_env=False, timeout=120).text:
        pass
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGTERM)
    link.sendall(body[len(body) // 2 :])
    assert link.recv(12) == b"HTTP/1.1 200"
    link.close()
    _, err = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGTERM)
    assert not list(tmp_path.iterdir())
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() for child in children)
    lines = [json.loads(line) for line in err.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert {"POST /v1/predict 200"} == {
        f"{r['method']} {r['path']} {r['status']}" for r in requests if r["method"] == "POST"
    }
    assert all(line.keys() >= {"time", "level", "event"} for line in lines)


def test_without_a_run_it_says_what_to_do(
    tmp_path: Path, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "home"))
    settings = replace(server.settings, run=None, workers=1)
    with running(settings) as empty, empty.client() as client:
        assert client.get("/v1/runs").json() == {"runs": []}
        said = client.post("/v1/predict", files={"file": sounds.audio()})
        assert (said.status_code, said.json()["title"]) == (409, "No run")
        assert client.get("/ready").status_code == 503


def test_only_an_answered_request_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    service = Service(Settings(folder=tmp_path))

    async def requests() -> None:
        with service.folder_of_request() as first:
            (first / "0").touch()
        await asyncio.sleep(0)
        with service.folder_of_request() as again, service.folder_of_request() as other:
            assert again == first
            assert other != first
            assert not list(again.iterdir())
        with suppress(RuntimeError), service.folder_of_request() as failed:
            raise RuntimeError
        assert not failed.exists()
        await asyncio.sleep(0)
        with service.folder_of_request() as next_one:
            assert next_one != failed

    asyncio.run(requests())


def test_a_temporary_folder_that_was_tidied_away_is_made_anew(tmp_path: Path) -> None:
    """systemd removes from /tmp what was not used for ten days: all of it, or a single folder."""
    service = Service(Settings(folder=tmp_path))

    async def write() -> Path:
        with service.folder_of_request() as folder:
            (folder / "0").touch()
        await asyncio.sleep(0)
        return folder

    unused = asyncio.run(write())
    unused.rmdir()
    assert asyncio.run(write()) == unused
    shutil.rmtree(service.folder)
    assert asyncio.run(write()).parent == service.folder
    shutil.rmtree(service.folder)
    assert service.new_file(".wav").parent == service.folder
    service.owner += 1  # another user has taken the name
    assert asyncio.run(write()).parent != unused.parent


def test_an_answer_goes_before_its_files_and_holds_nothing_if_it_is_not_read(
    server: Running,
) -> None:
    service, body = server.app.state.service, sounds.audio()
    headers = {"host": f"127.0.0.1:{server.port}", "content-type": "audio/wav"}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/predict",
        "raw_path": b"/v1/predict",
        "query_string": b"",
        "server": ("127.0.0.1", server.port),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    def files() -> list[Path]:
        return [path for path in service.folder.rglob("*") if path.is_file()]

    async def ask() -> None:
        sent, never, there = asyncio.Event(), asyncio.Event(), iter([body])

        async def receive() -> dict[str, Any]:
            for content in there:
                return {"type": "http.request", "body": content, "more_body": False}
            await never.wait()
            return {}

        async def send(message: dict[str, Any]) -> None:
            assert message["status"] == 200
            assert files()
            sent.set()
            await never.wait()

        answering = asyncio.create_task(server.app(scope, receive, send))
        await sent.wait()
        assert service.in_hand == 0
        assert not files()
        answering.cancel()

    asyncio.run(asyncio.wait_for(ask(), 60))
