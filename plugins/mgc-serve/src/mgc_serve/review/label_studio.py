"""The queue as tasks of Label Studio, and the answers that people gave there.

The labelling interface that fits the tasks is `INTERFACE`. Files are read as Label Studio exports
them as JSON: a list of tasks with ``data`` and ``annotations``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mgc import MgcError, UsageError
from mgc_serve.review.session import Review

NOT_MUSIC, SEVERAL = "Not music", "Several genres"
INTERFACE = """<View>
  <Header value="$title"/>
  <Audio name="audio" value="$audio"/>
  <Choices name="genre" toName="audio" choice="multiple">
{choices}
  </Choices>
</View>"""
MAX_BYTES = 256 << 20


def export(review: Review, path: Path) -> str:
    """Write the queue and the answers; returns what to say."""
    paths = dict(zip(review.dataset.tracks["track_id"], review.dataset.paths(), strict=True))
    said = review.corrections.answers()
    tasks = []
    for number, doubt in enumerate(review.doubts(), 1):
        data = {"dataset": review.dataset.name, "track_id": doubt.track_id, "label": doubt.label}
        data |= {"title": doubt.title or doubt.track_id, "artist": doubt.artist}
        data |= {"audio": str(paths[doubt.track_id]), "why": ", ".join(doubt.reasons)}
        one, task = said.get(doubt.track_id), {"id": number, "data": data}
        task["predictions"] = [
            {
                "model_version": review.systems[0][-1].name,
                "score": doubt.probabilities[doubt.suggested],
                "result": [_chosen([doubt.suggested])],
            }
        ]
        task["annotations"] = [_annotation(one.answer, list(one.genres))] if one else []
        tasks.append(task)
    text = json.dumps(tasks, indent=1, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MgcError(
            f"Cannot write {path}: {error.strerror or error}.", "Name another."
        ) from error
    names = [*review.genres, SEVERAL, NOT_MUSIC]
    choices = "\n".join(f'    <Choice value="{escape(name)}"/>' for name in names)
    interface = INTERFACE.format(choices=choices)
    return f"Wrote {len(tasks):,} tasks to {path}. The labelling interface:\n{interface}"


def import_answers(review: Review, path: Path) -> str:
    """Add the answers in a file to the table of corrections; returns what to say."""
    there, said = set(review.dataset.tracks["track_id"]), review.corrections.answers()
    found, unknown = [], 0
    for track_id, answer, genres in _answers(_tasks(path)):
        if track_id not in there:
            unknown += 1
            continue
        old, new = said.get(track_id), review.checked(track_id, answer, genres)
        if old is None or (old.answer, list(old.genres)) != (new, genres):
            found.append((track_id, new, genres))
    review.corrections.add(found)
    more = f"; {unknown:,} were about tracks that are not in it" if unknown else ""
    return (
        f"{len(found):,} new answers about {review.dataset.name}{more}. "
        f"Next: mgc data correct {review.dataset.name}"
    )


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is larger than 256 MiB")
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Export it as JSON.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UsageError(f"{path} is not a list of tasks.", "Export it as JSON, not as JSON-MIN.")
    return tasks


def _answers(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    """The last annotation of each task: track id, answer and genres."""
    for number, task in enumerate(tasks, 1):
        try:
            for annotation in task.get("annotations", [])[-1:]:
                track_id = str(task["data"]["track_id"])
                chosen = [
                    str(choice)
                    for result in annotation["result"]
                    if result["from_name"] == "genre"
                    for choice in result["value"]["choices"]
                ]
                if NOT_MUSIC in chosen:
                    yield track_id, "not music", []
                elif annotation.get("was_cancelled") or not chosen:
                    yield track_id, "skip", []
                else:
                    genres = [name for name in chosen if name != SEVERAL]
                    yield (
                        track_id,
                        "genre" if len(chosen) == 1 == len(genres) else "several",
                        genres,
                    )
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"Task {number} is not as Label Studio exports it ({error!r}).",
                "Export it as JSON, with the interface that mgc review --export prints.",
            ) from error


def _annotation(answer: str, genres: list[str]) -> dict[str, Any]:
    words = {"not music": [NOT_MUSIC], "several": [SEVERAL]}
    chosen = [*words.get(answer, []), *genres]
    return {
        "result": [_chosen(chosen)] if chosen else [],
        "was_cancelled": answer == "skip",
    }


def _chosen(genres: list[str]) -> dict[str, Any]:
    return {
        "from_name": "genre",
        "to_name": "audio",
        "type": "choices",
        "value": {"choices": genres},
    }
