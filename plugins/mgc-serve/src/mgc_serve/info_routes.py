"""The routes that hear nothing: runs, the sound of known tracks, state, figures, the document."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import mgc
from mgc_serve import openapi
from mgc_serve.problems import ProblemError
from mgc_serve.service import Service

#: What browsers play, by suffix; the rest is sent as WAV.
PLAYED = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}


def routes() -> list[Route]:
    """The routes."""
    return [
        Route("/v1/runs", runs, name="runs"),
        Route("/v1/tracks/{dataset}/{track_id:path}/audio", audio, name="audio"),
        Route("/health", health, name="health"),
        Route("/ready", ready, name="ready"),
        Route("/metrics", metrics, name="metrics"),
        Route("/openapi.json", document, name="document"),
    ]


async def runs(request: Request) -> Response:
    """The runs that can be asked."""
    service: Service = request.app.state.service
    return JSONResponse({"runs": await asyncio.to_thread(service.runs.entries)})


async def audio(request: Request) -> Response:
    """The sound of a track of a dataset at home."""
    service: Service = request.app.state.service
    names = request.path_params["dataset"], request.path_params["track_id"]
    path = await asyncio.to_thread(track_path, *names)
    if (kind := PLAYED.get(path.suffix.lower())) is not None:
        return FileResponse(path, media_type=kind)
    with service.admitted():
        made = service.new_file(".wav")
        await service.work("wav", path, names[1], into=str(made))
    ended = BackgroundTask(made.unlink, missing_ok=True)
    return FileResponse(made, media_type="audio/wav", background=ended)


def track_path(dataset: str, track_id: str) -> Path:
    """The file of a track. Raises ProblemError if there is none."""
    missing = ProblemError(404, "unknown-track", f"There is no track {track_id!r:.80} to hear.")
    if dataset not in mgc.datasets.names():
        raise missing
    found = mgc.datasets.load(dataset)
    tracks = found.tracks
    rows = tracks[tracks["track_id"] == track_id]
    if rows.empty:
        raise missing
    path = Path(found.root) / str(rows["path"].iloc[0])
    if not path.is_file():
        raise missing
    return path


async def health(_: Request) -> Response:
    """Whether the process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether a request would be answered now."""
    service: Service = request.app.state.service
    problem = service.problem if service.ready else "It is starting or ending."
    status = 503 if problem else 200
    return JSONResponse({"ready": not problem, "problem": problem or None}, status)


async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return PlainTextResponse(request.app.state.service.metrics.text(), media_type=openapi.METRICS)


async def document(_: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(openapi.document())
