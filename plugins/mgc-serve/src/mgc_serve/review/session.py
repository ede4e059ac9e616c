"""A review: the queue of a dataset, and what was said so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from threading import Lock
from typing import Any, Literal, get_args
from urllib.parse import quote

import mgc
from mgc_serve.review import opinions
from mgc_serve.review.queue import Doubt, queue

Answer = Literal["genre", "several", "not music", "skip"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
NEXT = 12  # tracks of the queue that are told if no number is asked for
MAX_SHOWN = 200  # tracks of the queue that one answer holds


class Review:
    """Answers are on the disk before `answer` and `undo` return."""

    def __init__(self, dataset: str, run: str | None = None) -> None:
        self.dataset = mgc.datasets.load(dataset)
        self.run = run
        self.corrections = mgc.datasets.corrections_of(dataset)
        self.genres = self.dataset.genres
        self._track_ids = set(self.dataset.tracks["track_id"])
        self._lock = Lock()

    @cached_property
    def systems(self) -> list[list[mgc.Run]]:
        """The runs that are heard, by system."""
        return opinions.systems(mgc.finished_runs(), self.dataset.name, self.run)

    @cached_property
    def opinions(self) -> opinions.Opinions:
        """What they say of the tracks that they did not learn from."""
        return opinions.opinions(self.systems)

    def doubts(self, said: Mapping[str, Any] | None = None) -> list[Doubt]:
        """The whole queue, in the light of what was said; those tracks included."""
        given = {
            track: one.genres[0] if one.answer == "genre" else ""
            for track, one in (said or {}).items()
            if one.answer != "skip"
        }
        with self._lock:  # they are gathered once
            heard = self.opinions
        return queue(self.dataset.tracks, heard, given)

    def state(self, count: int) -> dict[str, Any]:
        """Where the review stands, and the next tracks; JSON-ready."""
        said = self._said()
        left = [doubt for doubt in self.doubts(said) if doubt.track_id not in said]
        return {
            "dataset": self.dataset.name,
            "genres": self.genres,
            "answered": len(said),
            "left": len(left),
            "last": next(reversed(said), None),
            "tracks": [self.shown(doubt) for doubt in left[: min(count, MAX_SHOWN)]],
            "commands": self.commands(),
        }

    def answer(self, track_id: str, answer: str, genres: Sequence[str] = ()) -> dict[str, Any]:
        """Keep what was said of a track. Raises UsageError for what cannot be said."""
        self.corrections.add([(track_id, self.checked(track_id, answer, genres), genres)])
        return {"track_id": track_id, "answered": len(self._said())}

    def undo(self) -> dict[str, Any]:
        """Take back the last answer; its track is the next again."""
        undone = self.corrections.undo()
        track_id, said = undone.track_id if undone else None, self._said()
        doubt = next((one for one in self.doubts(said) if one.track_id == track_id), None)
        return {
            "track_id": track_id,
            "track": self.shown(doubt) if doubt else None,
            "answered": len(said),
        }

    def shown(self, doubt: Doubt) -> dict[str, Any]:
        """A track of the queue, and where it is to be heard."""
        name, track = quote(self.dataset.name, safe=""), quote(doubt.track_id, safe="")
        return {**asdict(doubt), "audio": f"/v1/tracks/{name}/{track}/audio"}

    def commands(self) -> list[str]:
        """How to learn from the answers, and to see whether it helped."""
        run, name = self.systems[0][-1].record, self.dataset.name
        folds = f" --folds {run.dataset.folds}" if run.dataset.folds else ""
        seed = f" --seed {run.seed}" if run.seed else ""
        fit = f"mgc fit -e {run.extractor.name} --head {run.head.name}{folds}{seed} --data {name}"
        before = self.systems[0][-1].name
        return [f"mgc data correct {name}", fit, f"mgc compare {before} NEW --reference {before}"]

    def _said(self) -> dict[str, Any]:
        answers = self.corrections.answers()
        return {track: one for track, one in answers.items() if track in self._track_ids}

    def checked(self, track_id: str, answer: str, genres: Sequence[str]) -> Answer:
        """The answer. Raises UsageError for what cannot be said."""
        if track_id not in self._track_ids:
            name = self.dataset.name
            raise mgc.UsageError(f"{name} has no track {track_id!r:.80}.", "Load the page again.")
        if answer not in ANSWERS:
            raise mgc.UsageError(f"{answer!r:.40} is no answer.", f"One of: {', '.join(ANSWERS)}.")
        if odd := [genre for genre in genres if genre not in self.genres]:
            hint = f"One of: {', '.join(self.genres)}."
            raise mgc.UsageError(f"{odd[0]!r:.80} is no genre of {self.dataset.name}.", hint)
        if (answer == "genre") != (len(genres) == 1) and answer != "several":
            raise mgc.UsageError("'genre' has one genre; 'not music' and 'skip' have none.")
        return answer
