"""The OpenAPI document of the API, from the same table of options as the parser's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mgc_serve import __version__, options
from mgc_serve.options import MAX_TEXT, Option
from mgc_serve.review.session import ANSWERS, MAX_SHOWN, NEXT
from mgc_serve.schemas import INTEGER, TEXT, Schema, fields, list_of, schemas

METRICS = "text/plain; version=0.0.4"
PROBLEMS = {
    "400": "An option or the form is wrong.",
    "401": "The token is missing or wrong.",
    "403": "A page of another site asks.",
    "404": "There is no such run or track.",
    "405": "The method is not allowed.",
    "408": "The body did not come in time.",
    "409": "There is no run, or it cannot be used.",
    "413": "The body is too large, or has too many files.",
    "415": "The body is of a type that is not taken.",
    "421": "The request is for another host.",
    "422": "The audio cannot be used.",
    "503": "Too much is in hand; `Retry-After` says when to try again.",
}
ANYWHERE = ("401", "403", "405", "421")
HEARING = ("400", "404", "408", "409", "413", "415", "422", "503")


def document() -> dict[str, Any]:
    """The document: OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mgc serve",
            "version": __version__,
            "description": "The genre of music, and why. Errors are problems (RFC 9457).",
        },
        "paths": {
            "/v1/runs": {"get": _get("runs", "The runs that can be asked.", _json("Runs"))},
            "/v1/predict": _post("predict", "The genre of files.", options.PREDICT, "Answers"),
            "/v1/similar": _post(
                "similar", "The known tracks nearest to a file.", options.SIMILAR, "Similar"
            ),
            "/v1/explain": _post(
                "explain", "What decides the answer for a file.", options.EXPLAIN, "Explanation"
            ),
            "/v1/tracks/{dataset}/{track_id}/audio": {"get": _track()},
            **_review(),
            "/health": {"get": _get("health", "Whether the process answers.", _json("Health"))},
            "/ready": {"get": _ready()},
            "/metrics": {"get": _get("metrics", "Figures for Prometheus.", {METRICS: {}})},
        },
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _get(name: str, about: str, content: Schema, *more: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": about,
        "responses": {"200": {"description": about, "content": content}, **_problems(*more)},
    }


def _ready() -> dict[str, Any]:
    made = _get("ready", "Whether a request would be answered now.", _json("Ready"))
    made["responses"]["503"] = {"description": "It would not.", "content": _json("Ready")}
    return made


def _track() -> dict[str, Any]:
    made = _get("audio", "The sound of a known track; ranges are served.", {"audio/*": {}}, "404")
    made["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in ("dataset", "track_id")
    ]
    made["responses"] |= {
        "206": {"description": "A range of it.", "content": {"audio/*": {}}},
        "416": {"description": "There is no such range."},
        **_problems("422", "503"),
    }
    return made


def _post(name: str, about: str, known: Sequence[Option], answer: str) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "array", "minItems": 1, "items": binary["schema"]},
            **{option.name: _schema(option) for option in known},
        },
        "additionalProperties": False,
    }
    operation = {
        "operationId": name,
        "summary": about,
        "parameters": [
            {
                "name": option.name,
                "in": "query",
                "description": option.about,
                "schema": _schema(option),
            }
            for option in known
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "audio/*": binary,
                "application/octet-stream": binary,
            },
        },
        "responses": {
            "200": {"description": about, "content": _json(answer)},
            **_problems(*HEARING),
        },
    }
    return {"post": operation}


def _schema(option: Option) -> dict[str, Any]:
    made: dict[str, Any] = {"type": option.kind}
    if option.kind == "string":
        made |= {"minLength": 1, "maxLength": MAX_TEXT}
    if math.isfinite(option.low):
        made |= {"minimum": option.low, "maximum": option.high}
    return made if option.default is None else made | {"default": option.default}


def _review() -> dict[str, Any]:
    """The paths of the review, which `mgc review` serves."""
    queue = _get("queue", "Where the review stands, and what to hear next.", _json("Queue"))
    count = {"type": "integer", "minimum": 0, "default": NEXT}
    about = f"How many tracks to tell, at most {MAX_SHOWN}."
    queue["parameters"] = [{"name": "count", "in": "query", "description": about, "schema": count}]
    queue["responses"] |= _problems("400", "404")
    genres = {"genres": {**list_of(TEXT), "default": []}}
    given = fields(track_id=TEXT, answer={"enum": list(ANSWERS)})
    said = given | {"properties": given["properties"] | genres}
    return {
        "/v1/review/queue": {"get": queue},
        "/v1/review/answers": {
            "post": _told("answer", "Keep what was said of a track.", said, "Answered")
        },
        "/v1/review/undo": {
            "post": _told("undo", "Take back the last answer.", fields(), "Undone")
        },
    }


def _told(name: str, about: str, body: Schema, answer: str) -> dict[str, Any]:
    """A request with a JSON body."""
    made = _get(name, about, _json(answer), "400", "404", "413", "415")
    content = {"application/json": {"schema": body}}
    return made | {"requestBody": {"required": True, "content": content}}


def _problems(*more: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    made: dict[str, Any] = {
        status: {"description": PROBLEMS[status], "content": content}
        for status in sorted({*ANYWHERE, *more})
    }
    if "503" in made:
        made["503"]["headers"] = {"Retry-After": {"schema": INTEGER}}
    return made


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
