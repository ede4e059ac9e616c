"""The README's clients and the steps of the Dockerfile work."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from . import sounds
from .conftest import Home, Running

FOLDER = Path(__file__).parents[1]
ROOT = FOLDER.parents[1]
README = (FOLDER / "README.md").read_text()
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.mp3").write_bytes(sounds.audio("MP3", "calm"))
    Path("b.flac").write_bytes(sounds.audio("FLAC", "harsh"))


@pytest.mark.usefixtures("songs")
def test_the_client_in_python(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(program.splitlines()) <= 10
    exec(program.replace("8765", str(server.port)), {})
    assert capsys.readouterr().out == "a.mp3 calm\nb.flac harsh\n"


@pytest.mark.usefixtures("songs")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_client_in_curl(server: Running) -> None:
    commands = re.findall(r"^\$ (curl .*)$", README, re.M)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.replace("8765", str(server.port)))
        said = json.loads(subprocess.check_output([*words, "--silent", "--noproxy", "*"]))
        assert said["answers"][0]["genre"] == "calm"


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.M)


def test_the_image_is_built_of_what_is_there() -> None:
    ignored = FOLDER / "Dockerfile.dockerignore"
    kept = {line[1:] for line in ignored.read_text().splitlines() if line.startswith("!")}
    for copied in instructions("COPY"):
        if not copied.startswith("--from"):
            for name in copied.split()[:-1]:
                assert (ROOT / name).exists()
                assert name in kept
    (install,) = [line for line in instructions("RUN") if "mgc-serve" in line]
    for word in shlex.split(install):
        if word.startswith("./"):
            assert (ROOT / word / "pyproject.toml").exists()
    assert [line.split()[0] for line in instructions("FROM")] == ["python:3.12-slim"] * 2
    assert instructions("USER") == ["mgc"]
    for line in instructions("RUN"):
        subprocess.run(["sh", "-n", "-c", line], check=True)


def _is_installed() -> bool:
    return any(each.name == "mgc-serve" for each in importlib.metadata.distributions())


@pytest.mark.skipif(not _is_installed(), reason="mgc-serve is not installed")
def test_the_image_starts_what_its_health_check_asks(home: Home, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    (start,), (check,) = instructions("CMD"), instructions("HEALTHCHECK")
    words = json.loads(start.replace("8765", port))
    assert words[0] == "mgc"
    environment = {**os.environ, "MGC_SERVE_TOKEN": "secret"}
    process = subprocess.Popen(
        [sys.executable, "-m", *words], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        question = json.loads(check.replace("8765", port).partition("CMD ")[2])
        assert question[0] == "python"
        while subprocess.run([sys.executable, *question[1:]], capture_output=True).returncode:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.2)
        asked = {"url": f"http://127.0.0.1:{port}/v1/runs", "trust_env": False, "timeout": 120}
        assert httpx.get(**asked).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert httpx.get(**asked, headers=right).json()["runs"]
    finally:
        process.terminate()
        process.communicate()
    without = {key: value for key, value in environment.items() if key != "MGC_SERVE_TOKEN"}
    refused = subprocess.run(
        [sys.executable, "-m", *words], env=without, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "--token" in refused.stderr
