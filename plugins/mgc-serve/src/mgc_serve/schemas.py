"""The schemas of the OpenAPI document: what the answers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT, NUMBER, BOOLEAN, INTEGER = (
    {"type": kind} for kind in ("string", "number", "boolean", "integer")
)
MAYBE_TEXT, MAYBE_NUMBER = ({"anyOf": [kind, {"type": "null"}]} for kind in (TEXT, NUMBER))
SHARES = {"type": "object", "additionalProperties": NUMBER}


def fields(**properties: Any) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def list_of(of: Schema) -> dict[str, Any]:
    """An array of these."""
    return {"type": "array", "items": of}


def _or_null(schema: Schema) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Any]:
    """All of them, by name."""
    intervals = dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), MAYBE_NUMBER)
    run = fields(
        **{"name": TEXT, "label": TEXT, "genres": list_of(TEXT), **intervals},
        **{"members": list_of(TEXT), "ready_made": BOOLEAN, "default": BOOLEAN},
    )
    texts = dict.fromkeys(("track_id", "title", "artist", "genre", "audio"), TEXT)
    answers = {"anyOf": [_named("Answer"), fields(file=TEXT, error=_named("Problem"))]}
    problem = fields(type=TEXT, title=TEXT, status=INTEGER, detail=TEXT)
    return {
        "Runs": fields(runs=list_of(run)),
        "Answer": _answer(),
        "Answers": fields(run=TEXT, genres=list_of(TEXT), answers=list_of(answers)),
        "Similar": fields(run=TEXT, file=TEXT, tracks=list_of(fields(**texts, distance=NUMBER))),
        "Explanation": _explanation(),
        **_review(),
        "Health": fields(status=TEXT),
        "Ready": fields(ready=BOOLEAN, problem=MAYBE_TEXT),
        "Problem": problem | {"additionalProperties": True},
    }


def _answer() -> dict[str, Any]:
    said = {"genre": TEXT, "probability": NUMBER, "probabilities": SHARES}
    segment = {"genre": MAYBE_TEXT, "probability": MAYBE_NUMBER, "remark": TEXT}
    return fields(
        file=TEXT,
        **said,
        known=_or_null(BOOLEAN),
        unlike=MAYBE_NUMBER,
        remark=MAYBE_TEXT,
        seconds=NUMBER,
        genres_at=_or_null(list_of(TEXT)),
        heard_before=_or_null(fields(track_id=TEXT, genre=TEXT, out_of_fold=SHARES)),
        views=_or_null(list_of(fields(name=TEXT, **said))),
        timeline=_or_null(list_of(fields(start=NUMBER, end=NUMBER, **segment))),
        waveform=_or_null(list_of(list_of(NUMBER))),
    )


def _explanation() -> dict[str, Any]:
    member = fields(name=TEXT, genre=TEXT, probability=NUMBER, without=NUMBER)
    return fields(
        run=TEXT,
        file=TEXT,
        genre=TEXT,
        probability=NUMBER,
        remark=MAYBE_TEXT,
        seconds=list_of(fields(start=NUMBER, end=NUMBER, effect=NUMBER)),
        bands=list_of(fields(low=NUMBER, high=NUMBER, effect=NUMBER)),
        members=list_of(member),
        telling=list_of(NUMBER),
        picture=TEXT,
    )


def _review() -> dict[str, Any]:
    view = fields(name=TEXT, genre=TEXT, probability=NUMBER)
    texts = ("track_id", "title", "artist", "album", "label", "suggested", "audio")
    doubt = fields(
        **dict.fromkeys(texts, TEXT),
        tested=BOOLEAN,
        probabilities=SHARES,
        views=list_of(view),
        reasons=list_of(TEXT),
    )
    texts_of = dict.fromkeys(("genres", "commands"), list_of(TEXT))
    counts = dict.fromkeys(("answered", "left"), INTEGER)
    queue = {"dataset": TEXT, **texts_of, **counts, "last": MAYBE_TEXT}
    return {
        "Doubt": doubt,
        "Queue": fields(**queue, tracks=list_of(_named("Doubt"))),
        "Answered": fields(track_id=TEXT, answered=INTEGER),
        "Undone": fields(track_id=MAYBE_TEXT, track=_or_null(_named("Doubt")), answered=INTEGER),
    }
