"""The routes of the review: the page, the queue, answers and undo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mgc_serve.problems import ProblemError
from mgc_serve.review.session import NEXT, Review

HERE = Path(__file__).parent
MAX_BODY = 64 << 10  # bytes
LOCK = Lock()


def routes() -> list[BaseRoute]:
    """The page at ``/review``, and what it asks below ``/v1/review``."""
    folders = [HERE / "templates", HERE.parent / "page" / "templates"]
    templates = Environment(loader=FileSystemLoader(folders), autoescape=True)
    document = templates.get_template("review.html").render()

    async def page(_: Request) -> Response:
        return HTMLResponse(document)

    return [
        Route("/review", page, name="review"),
        Route("/v1/review/queue", _queue),
        Route("/v1/review/answers", _answer, methods=["POST"]),
        Route("/v1/review/undo", _undo, methods=["POST"]),
    ]


async def _queue(request: Request) -> Response:
    try:
        count = int(request.query_params.get("count", NEXT))
    except ValueError as error:
        raise ProblemError(400, "bad-request", "count is not a number.") from error
    if count < 0:
        raise ProblemError(400, "bad-request", "count is below 0.")
    return await _told(lambda: _review(request).state(count))


async def _answer(request: Request) -> Response:
    given = await _body(request)
    genres = given.get("genres", [])
    texts = [given.get("track_id"), given.get("answer"), *(genres if type(genres) is list else [0])]
    if not all(isinstance(text, str) for text in texts):
        raise ProblemError(
            400,
            "bad-request",
            "An answer is an object of track_id, answer and, if it is a genre, genres.",
            'Such as: {"track_id": "0042", "answer": "genre", "genres": ["jazz"]}',
        )
    track_id, answer = given["track_id"], given["answer"]
    return await _told(lambda: _review(request).answer(track_id, answer, genres))


async def _undo(request: Request) -> Response:
    await _body(request)
    return await _told(lambda: _review(request).undo())


async def _told(work: Callable[[], Mapping[str, Any]]) -> Response:
    return JSONResponse(await asyncio.to_thread(work))


def _review(request: Request) -> Review:
    """The review that this server was started for."""
    state = request.app.state
    settings = state.service.settings
    if settings.review is None:
        raise ProblemError(
            404, "no-review", "This server reviews no dataset.", "Start: mgc review DATASET"
        )
    with LOCK:
        if not hasattr(state, "review"):
            state.review = Review(settings.review, settings.run)
        review: Review = state.review
    return review


async def _body(request: Request) -> Mapping[str, Any]:
    """The JSON object in a request."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ProblemError(415, "not-json", "The body must be application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ProblemError(413, "too-large", f"The body has more than {MAX_BODY >> 10} KiB.")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, "bad-request", "The body is not JSON.") from error
    if not isinstance(given, dict):
        raise ProblemError(400, "bad-request", "The body is not a JSON object.")
    return given
