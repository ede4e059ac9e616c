"""Which genre a model hears when: probabilities for overlapping windows, joined into segments."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio.clip_policy import MAX_SECONDS, MIN_SECONDS
from mgc.audio.given import Audio
from mgc.audio.no_music import no_music_in
from mgc.audio.sliding_windows import sliding
from mgc.datasets.csv_cells import csv_row
from mgc.errors import UsageError
from mgc.features.extraction.wave_features import features_of_waves
from mgc.prediction.predictor import BasePredictor
from mgc.progress import Progress, Silent

WINDOW_SECONDS = 10.0
HOPS_A_WINDOW = 2
MIN_HOP = 0.1  # seconds
CERTAIN = 1e-4  # a genre is at least this likely on a path
BATCH_SECONDS = 60.0  # of windows whose features are made at once


@dataclass(frozen=True)
class Segment:
    """A stretch of audio with one answer.

    ``genre`` is "" where there is no music, and ``remark`` says why; ``probability`` is the mean of
    the genre's over the stretch, NaN without one. Times are in seconds.
    """

    start: float
    end: float
    genre: str
    probability: float
    remark: str = ""


@dataclass(frozen=True)
class Timeline:
    """A model's answers over time.

    Attributes:
        path: the file; None for an open file or an array.
        genres: the genres, in the order of the probabilities.
        seconds: length of the audio.
        window: length of a window in seconds; the last one may be shorter if it is the only one.
        hop: seconds between their starts; the last one may follow sooner.
        starts: (window,) float64, where each begins, in seconds.
        probabilities: (window, genre) float64; NaN for a window without music.
        remarks: why a window has no music, or "".
        price: what a change of genre costs, in log probability; 0: nothing.
    """

    path: Path | None
    genres: Sequence[str]
    seconds: float
    window: float
    hop: float
    starts: np.ndarray
    probabilities: np.ndarray
    remarks: Sequence[str]
    price: float = 0.0

    @property
    def edges(self) -> np.ndarray:
        """(window + 1,) seconds: each window stands for the time that is nearest to its middle."""
        middles = self.starts + min(self.window, self.seconds) / 2
        return np.array([0.0, *(middles[1:] + middles[:-1]) / 2, self.seconds])

    @cached_property
    def labels(self) -> list[str]:
        """The genre of each window: the most likely one, or that of the likeliest path if a change
        has a price; "" without music."""
        music = ~np.isnan(self.probabilities[:, 0])
        best = np.full(len(music), "", dtype=object)
        best[music] = np.array(self.genres, dtype=object)[self._path(self.probabilities[music])]
        return best.tolist()

    def _path(self, rows: np.ndarray) -> np.ndarray:
        """The path (window,) of genre numbers through probabilities (window, genre) whose log
        probability, less the `price` of each change, is largest (Viterbi 1967)."""
        if not self.price:
            return np.asarray(rows.argmax(1))
        scores, before = np.log(np.maximum(rows, CERTAIN)), []
        for last, here in pairwise(scores):
            change = last.max() - self.price
            before.append(np.where(change > last, last.argmax(), np.arange(len(last))))
            here += np.maximum(change, last)
        path = [scores[-1].argmax()] if len(rows) else []
        for numbers in reversed(before):
            path.append(numbers[path[-1]])
        return np.array(path[::-1], np.int64)

    @cached_property
    def segments(self) -> list[Segment]:
        """Neighbouring windows with the same genre, or with no music, joined."""
        found = []
        for genre, numbers in groupby(range(len(self.starts)), self.labels.__getitem__):
            first, *_, last = [*numbers] * 2
            remark, *others = sorted(set(self.remarks[first : last + 1]))
            own = self.probabilities[first : last + 1, self.genres.index(genre) if genre else 0]
            ends = float(self.edges[first]), float(self.edges[last + 1])
            said = "holds no music" if others else remark
            found.append(Segment(*ends, genre, float(own.mean()), said))
        return found

    def smoothed(self, seconds: float) -> Timeline:
        """The same, with fewer changes: a stretch of ``seconds`` has a genre of its own if that is
        twice as likely there as the one around it, a shorter one if it is clearer than that."""
        return replace(self, price=seconds / self.hop * math.log(2) / 2)

    def as_record(self) -> dict[str, Any]:
        """Segments and windows as JSON-ready values."""
        return {
            "path": None if self.path is None else str(self.path),
            "seconds": self.seconds,
            "window": self.window,
            "segments": [_plain(segment) for segment in self.segments],
            "windows": [
                {"start": float(start), "genre": genre or None, "remark": remark}
                | {"probabilities": dict(zip(self.genres, row, strict=True)) if genre else None}
                for start, genre, remark, row in zip(
                    self.starts, self.labels, self.remarks, self.probabilities.tolist(), strict=True
                )
            ],
        }

    def __repr__(self) -> str:
        said = ", ".join(f"{span(s)} {s.genre or s.remark}" for s in self.segments[:4])
        return f"<Timeline {said}{', …' if len(self.segments) > 4 else ''}>"


def _plain(segment: Segment) -> dict[str, Any]:
    made = vars(segment) | {"genre": segment.genre or None}
    return made | {"probability": segment.probability if segment.genre else None}


def span(segment: Segment) -> str:
    """``3:10–7:45``."""
    return f"{clock(segment.start)}–{clock(segment.end)}"


def clock(seconds: float) -> str:
    """``0:07``, ``3:10`` or ``1:02:03``: whole seconds, rounded down."""
    minutes, rest = divmod(int(seconds + 1e-6), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def written(made: Timeline, form: str) -> bytes:
    """A timeline as a file: ``.json``, ``.csv`` (a row per window), or ``.txt``, the segments as
    labels that Audacity imports (seconds, tab, seconds, tab, text)."""
    if form == ".json":
        text = json.dumps(made.as_record(), indent=2, ensure_ascii=False) + "\n"
    elif form == ".csv":
        text = csv_row(["start", "end", "genre", *made.genres, "remark"])
        for start, genre, row, remark in zip(
            made.starts, made.labels, made.probabilities, made.remarks, strict=True
        ):
            end = min(start + made.window, made.seconds)
            numbers = [f"{p:.6f}" if genre else "" for p in row]
            text += csv_row([f"{start:.3f}", f"{end:.3f}", genre, *numbers, remark])
    else:
        text = "".join(
            f"{part.start:.6f}\t{part.end:.6f}\t{part.genre or part.remark}\n"
            for part in made.segments
        )
    return text.encode("utf-8", "backslashreplace")


def timeline(
    predictor: BasePredictor,
    audio: Audio,
    window: float | None = None,
    hop: float | None = None,
    smooth: float | None = None,
    progress: Progress | None = None,
) -> Timeline:
    """What a model answers for each window of one piece of audio; see `Model.timeline`."""
    clip = min(source.policy.seconds for source in predictor.sources)
    window = min(WINDOW_SECONDS, clip) if window is None else window
    hop = window / HOPS_A_WINDOW if hop is None else hop
    _check(window, hop, smooth)
    predictor.prepare()
    starts, remarks, rows = [], [], []
    end = 0.0
    with (progress or Silent()).task(f"hearing with {predictor.name}", None, "windows") as task:
        size = max(1, int(BATCH_SECONDS / window))
        windows = sliding(audio, window, hop)
        while batch := list(islice(windows, size)):
            starts += [start for start, _, _ in batch]
            end = batch[-1][0] + len(batch[-1][1]) / batch[-1][2]
            rate = batch[0][2]
            said = [no_music_in(wave, rate) for _, wave, _ in batch]
            music = [wave for (_, wave, _), no in zip(batch, said, strict=True) if not no]
            answers = _answers(predictor, audio, music, rate)
            nothing = np.full(len(predictor.genres), np.nan)
            rows += [nothing if no else next(answers) for no in said]
            remarks += said
            task.advance(len(batch))
    path = audio if isinstance(audio, Path) else None
    heard = np.array(starts), np.array(rows), remarks
    made = Timeline(path, predictor.genres, end, window, hop, *heard)
    return made if smooth is None else made.smoothed(smooth)


def _answers(
    predictor: BasePredictor, audio: Audio, waves: Sequence[np.ndarray], rate: int
) -> Iterator[np.ndarray]:
    """Probabilities (genre,) of each window."""
    if waves:
        made = features_of_waves(list(predictor.answering.values()), audio, waves, rate)
        for rows in zip(*made, strict=True):
            yield predictor.probabilities([[row] for row in rows])


def _check(window: float, hop: float, smooth: float | None) -> None:
    """Raise UsageError for lengths in seconds that cannot be."""
    if not MIN_SECONDS <= window <= MAX_SECONDS:
        raise UsageError(
            f"A window of {window:g} s is not possible.",
            f"--window accepts {MIN_SECONDS} to {MAX_SECONDS:.0f} seconds.",
        )
    if not MIN_HOP <= hop <= window:
        raise UsageError(
            f"A hop of {hop:g} s is not possible with windows of {window:g} s.",
            f"--hop accepts {MIN_HOP} seconds to the length of a window.",
        )
    if smooth is not None and not (math.isfinite(smooth) and smooth > 0):
        raise UsageError(
            f"A timeline cannot be smoothed over {smooth:g} s.", "--smooth accepts more than 0."
        )
