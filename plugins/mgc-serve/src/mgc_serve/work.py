"""What a worker process does with one file: everything that opens it."""

from __future__ import annotations

import base64
import importlib
import io
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

import mgc
from mgc_serve.answers import record

Request = Mapping[str, Any]
READS_RUNS = ("pandas", "pyarrow.parquet")  # mgc imports them at the first file that it knows
MODELS = 3  # that a process keeps
FIGURES = ("accuracy", "accuracy_low", "accuracy_high")
PAIRS = 800  # of a waveform
PIECE_SECONDS = 300.0  # decoded at once for it


class Hearer:
    """Hears files with the models of runs, which it keeps."""

    def __init__(self) -> None:
        self.models: OrderedDict[tuple[str, int], mgc.Model] = OrderedDict()

    def model(self, folder: str) -> mgc.Model:
        """The model of the run in a folder, loaded again if it was changed."""
        key = folder, stamp(Path(folder))
        if key not in self.models:
            self.models[key] = mgc.load(folder, device="cpu")
            self.models[key].predictor.prepare()
            while len(self.models) > MODELS:
                self.models.popitem(last=False)
        self.models.move_to_end(key)
        return self.models[key]

    def __call__(self, request: Request) -> dict[str, Any]:
        """The answer, or what is wrong: whatever a file does, it is not this process's error."""
        path = Path(request["path"])
        try:
            return TASKS[request["do"]](self, path, request)
        except mgc.MgcError as error:
            kinds = {mgc.AudioError: "audio", mgc.UsageError: "usage"}
            kind = kinds.get(type(error), "run")
            return {"kind": kind, "error": error.message, "hint": error.hint}
        except Exception as error:  # a decoder or an extractor may raise anything
            said = f"It cannot be used ({type(error).__name__}: {error})."
            return {"kind": "audio", "error": said, "hint": ""}


def answering(folders: Sequence[str]) -> Callable[[Request], dict[str, Any]]:
    """Set up: the models of these runs are loaded once for all processes."""
    for name in READS_RUNS:
        importlib.import_module(name)
    hearer = Hearer()
    for folder in folders:
        with suppress(mgc.MgcError):  # whoever asks for it is told
            hearer.model(folder)
    return hearer


def stamp(folder: Path) -> int:
    """Changes when a run does; 0 if it is not there."""
    try:
        return (folder / "run.json").stat().st_mtime_ns
    except OSError:
        return 0


def _predict(hearer: Hearer, path: Path, request: Request) -> dict[str, Any]:
    model = hearer.model(request["run"])
    heard = model.features(path)  # of a few clips, however long it is
    if heard.length > (most := request["max_seconds"]):
        raise mgc.AudioError(
            f"{path}: is {heard.length:,.0f} s long; {most:,.0f} s are accepted.",
            "Send a part of it.",
        )
    made: dict[str, Any] = {"heard_before": heard.heard_before and asdict(heard.heard_before)}
    if request["timeline"]:
        made["timeline"] = _timeline(model, path, request)
    if request["waveform"]:
        made["waveform"] = waveform(path, heard.length)
    if request["answers"]:
        (answer,) = model.predict_features([heard], unknown=request["unknown"])
        return record(answer, made, request)
    rows = [list(rows) for rows in heard.rows]
    return made | {"rows": rows, "seconds": heard.seconds, "remark": heard.remark}


def _timeline(model: mgc.Model, path: Path, request: Request) -> list[dict[str, Any]]:
    made = model.timeline(path, request["window"], request["hop"], request["smooth"])
    segments: list[dict[str, Any]] = made.as_record()["segments"]
    return segments


def waveform(path: Path, length: float, pairs: int = PAIRS) -> list[list[float]]:
    """The lowest and highest sample of so many equal parts of a file of this length (s)."""
    made: list[list[float]] = []
    pieces = max(1, math.ceil(length / PIECE_SECONDS))
    edges = np.linspace(0, pairs, pieces + 1).round().astype(int)
    for first, last in itertools.pairwise(edges.tolist()):
        start, seconds = length * first / pairs, length * (last - first) / pairs
        try:
            wave, _ = mgc.decode(path, start=start, seconds=seconds)
        except mgc.AudioError:  # it ends before its header says
            wave = np.zeros(1, np.float32)
        for part in np.array_split(wave, last - first):
            ends = (part.min(), part.max()) if len(part) else (0.0, 0.0)
            made.append([round(float(end), 4) for end in ends])
    return made


def _similar(hearer: Hearer, path: Path, request: Request) -> dict[str, Any]:
    found = hearer.model(request["run"]).similar(
        path, request["among"], request["count"], same_artist=request["same_artist"]
    )
    fields = ("track_id", "title", "artist", "genre", "distance")
    tracks = [{name: getattr(track, name) for name in fields} for track in found]
    return {"tracks": tracks, "of": found.name}


def _explain(hearer: Hearer, path: Path, request: Request) -> dict[str, Any]:
    made = hearer.model(request["run"]).explain(path, request["genre"])
    record = made.as_record()
    drawn = io.BytesIO()  # not a file: the request's folder may be gone, with its client
    mgc.picture(made, drawn)
    picture = base64.b64encode(drawn.getvalue()).decode()
    return {
        "genre": made.genre,
        "probability": made.probability,
        "remark": made.remark or None,
        "seconds": [{"start": s.low, "end": s.high, "effect": s.effect} for s in made.seconds],
        "bands": record["bands"],
        "members": record["members"],
        "telling": list(made.telling),
        "picture": f"data:image/png;base64,{picture}",
    }


def _wav(_: Hearer, path: Path, request: Request) -> dict[str, Any]:
    """Write the file as a mono WAV, for browsers that do not play its own format."""
    import soundfile

    soundfile.write(request["into"], *mgc.decode(path), format="WAV", subtype="PCM_16")
    return {}


def _figures(_: Hearer, __: Path, request: Request) -> dict[str, Any]:
    """Those that ``GET /v1/runs`` tells."""
    run = cast(mgc.Run, mgc.load(request["run"], device="cpu").run)
    return {name: run.figures[name] for name in FIGURES}


TASKS = {
    "predict": _predict,
    "similar": _similar,
    "explain": _explain,
    "wav": _wav,
    "figures": _figures,
}
