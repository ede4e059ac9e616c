"""Music with a run, and a real server that reviews it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

import mgc
from mgc.datasets.synthesis.compose import synthesise

GENRES = {"ambient": "ambient", "jazz": "jazz", "metal": "metal & <i>loud</i>"}
TITLE = "<img src=x onerror=\"document.title='hacked'\">"


def make_music(folder: Path) -> Path:
    """A table of 3 genres × 6 artists × 2 tracks of 3 s, with HTML in its names; three of the
    tracks by the first artists have a wrong genre."""
    rows = []
    for style, genre in GENRES.items():
        for artist in range(6):
            for track in range(2):
                name, file = f"{style}/{artist}/{track} #1?", f"{style}-{artist}-{track}.wav"
                soundfile.write(
                    folder / file, synthesise(style, artist, track, seconds=3.0), 22_050
                )
                said = GENRES["metal"] if (style, track) == ("ambient", 0) and artist < 3 else genre
                rows.append([name, file, said, f"<b>{style}</b> {artist}", TITLE])
    with open(folder / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["track_id", "path", "genre", "artist", "title"], *rows])
    return folder / "tracks.csv"


def make_home(folder: Path) -> None:
    """The dataset ``m``, with two runs of three folds, in the home that is set."""
    folder.mkdir()
    mgc.datasets.add("m", make_music(folder))
    mgc.fit("m", "mfcc", "logistic", folds=3)
    mgc.fit("m", "chroma", "logistic", folds=3)


@dataclass
class Server:
    """A process of ``mgc review``."""

    process: subprocess.Popen[str]
    address: str

    def ask(self, path: str, told: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer; ``told`` is what is posted."""
        body = told if told is None or isinstance(told, bytes) else json.dumps(told).encode()
        headers = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def start(home: Path, *words: str) -> Server:
    """A server on a free port, which says where it is when it is ready."""
    command = [sys.executable, "-m", "mgc", "review", "m", "--port", "0", *words]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "MGC_HOME": str(home)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http://"):
            return Server(process, line.strip().removesuffix("/review"))
    raise AssertionError(f"The server ended with {process.wait()}.")


def answers() -> dict[str, Any]:
    """What was said, by track: the answer and the genres."""
    found = mgc.datasets.corrections_of("m").answers()
    return {track: (one.answer, *one.genres) for track, one in found.items()}
