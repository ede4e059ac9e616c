"""Why a model answers as it does: which member, which seconds and which frequencies decide.

Occlusion (Zeiler and Fergus 2014) of the sound itself: a part is taken out of the waveform, and the
whole model hears the rest. That asks the same of any extractor, head and strategy. The effect of a
part is how much the log-odds of the genre fall without it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio import decoders, decoding
from mgc.audio.clip_policy import ClipPolicy, checked_length, too_short
from mgc.audio.given import Audio
from mgc.audio.no_music import no_music
from mgc.ensembling.combination import apply_without
from mgc.errors import unknown
from mgc.features.extraction import Rows
from mgc.features.extraction.one_file import by_policy
from mgc.features.extraction.wave_features import features_of_waves
from mgc.prediction.occlusion import without_band, without_seconds
from mgc.prediction.predictor import Answers, BasePredictor, Predictor
from mgc.progress import Progress

MAX_PARTS = 60  # of the time, unless that makes them shorter than `PART_SECONDS`
PART_SECONDS = 1.0
MIN_PARTS = 6  # of a clip, however short it is
AROUND = 1  # parts on each side that are taken out with one, so that its effect stands out
OCTAVES = (0.0, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0)  # Hz, edges of the bands
TELLING_SECONDS = 5.0
BATCH = 8  # occluded clips whose features are made at once
CERTAIN = 1e-9  # probabilities nearer to 0 or 1 count as this near


@dataclass(frozen=True)
class Effect:
    """A part of the sound, from ``low`` to ``high`` (s or Hz), and by how much the log-odds of the
    genre fall without it; negative if it speaks against the genre."""

    low: float
    high: float
    effect: float


@dataclass(frozen=True)
class MemberView:
    """What one member of an ensemble says: its genre, its probability of the explained genre, and
    the ensemble's probability of that genre without this member."""

    name: str
    genre: str
    probability: float
    without: float


@dataclass(frozen=True)
class HeardClip:
    """A clip: where it starts (s), its samples (sample,) float32 mono, and their rate (Hz)."""

    start: float
    wave: np.ndarray
    rate: int

    @property
    def end(self) -> float:
        """Where it ends, in seconds."""
        return self.start + len(self.wave) / self.rate


@dataclass(frozen=True)
class Explanation:
    """What decides an answer.

    Attributes:
        path: the file; None for an open file or an array.
        genre: the genre that is explained, and its ``probability``.
        seconds: the effect of each part of what is heard, and of the part on each side of it.
        bands: the effect of each frequency band, from the lowest.
        members: an ensemble's members; empty for a single run.
        clips: what is heard.
        remark: what to know about the audio (it is silent, …), or "".
    """

    path: Path | None
    genre: str
    probability: float
    seconds: Sequence[Effect]
    bands: Sequence[Effect]
    members: Sequence[MemberView]
    clips: Sequence[HeardClip]
    remark: str = ""

    @property
    def telling(self) -> tuple[float, float]:
        """Start and end of the `TELLING_SECONDS` within a clip that speak most for the genre."""
        best, found = -np.inf, (self.clips[0].start, self.clips[0].end)
        for clip in self.clips:
            inside = [part for part in self.seconds if clip.start <= part.low < clip.end]
            for part in inside:
                end = min(part.low + TELLING_SECONDS, clip.end)
                start = max(clip.start, end - TELLING_SECONDS)
                near = sum(p.effect for p in inside if start <= (p.low + p.high) / 2 < end)
                if near > best:
                    best, found = near, (start, end)
        return found

    def telling_wav(self) -> bytes:
        """The `telling` seconds as a WAV file, mono, 16 bits."""
        import soundfile

        start, end = self.telling
        clip = next(clip for clip in self.clips if clip.start <= start < clip.end)
        first, last = (round((time - clip.start) * clip.rate) for time in (start, end))
        made = io.BytesIO()
        soundfile.write(made, clip.wave[first:last], clip.rate, format="WAV")
        return made.getvalue()

    def as_record(self) -> dict[str, Any]:
        """Everything but the sound, as JSON-ready values."""
        return {
            "path": None if self.path is None else str(self.path),
            "genre": self.genre,
            "probability": self.probability,
            "telling": dict(zip(("start", "end"), self.telling, strict=True)),
            "seconds": [vars(part) for part in self.seconds],
            "bands": [vars(part) for part in self.bands],
            "members": [vars(view) for view in self.members],
            "remark": self.remark,
        }

    def __repr__(self) -> str:
        start, end = self.telling
        return f"<Explanation {self.genre} {self.probability:.1%}: {start:.0f}–{end:.0f} s>"


Occlude = Callable[[HeardClip], HeardClip]


class _Subject:
    """One piece of audio as a model hears it, and how it would hear it with parts taken out."""

    def __init__(self, predictor: BasePredictor, audio: Audio) -> None:
        self.predictor, self.audio = predictor, audio
        self.sources = list(predictor.answering.values())
        self.groups = by_policy(self.sources)
        self.clips = {policy: _clips(audio, policy) for policy in self.groups}
        self.rows = self._features({policy: [*enumerate(c)] for policy, c in self.clips.items()})
        self.answers = predictor.answers(self._made({}))

    def occluded(self, ways: Sequence[Occlude]) -> Iterator[np.ndarray]:
        """The probabilities (genre,) with each way of taking something out."""
        for way in ways:
            changed: dict[ClipPolicy, list[tuple[int, HeardClip]]] = {}
            for policy, clips in self.clips.items():
                other = [(number, way(clip)) for number, clip in enumerate(clips)]
                changed[policy] = [(n, clip) for n, clip in other if clip is not clips[n]]
            yield self.predictor.probabilities(self._made(self._features(changed)))

    def _features(
        self, clips: dict[ClipPolicy, list[tuple[int, HeardClip]]]
    ) -> dict[tuple[int, int], np.ndarray]:
        """(number of a source, number of a clip) → its feature."""
        found = {}
        for policy, numbered in clips.items():
            numbers = self.groups[policy]
            for at in range(0, len(numbered), BATCH):
                some = numbered[at : at + BATCH]
                waves, rate = [clip.wave for _, clip in some], some[0][1].rate
                sources = [self.sources[number] for number in numbers]
                made = features_of_waves(sources, self.audio, waves, rate)
                for number, rows in zip(numbers, made, strict=True):
                    for (clip, _), row in zip(some, rows, strict=True):
                        found[number, clip] = row
        return found

    def _made(self, changed: dict[tuple[int, int], np.ndarray]) -> list[Rows]:
        """The features of every source, some of them others."""
        rows = self.rows | changed
        return [
            [rows[number, clip] for clip in range(len(self.clips[source.policy]))]
            for number, source in enumerate(self.sources)
        ]


def _clips(audio: Audio, policy: ClipPolicy) -> list[HeardClip]:
    starts: list[float] = []

    def chosen(length: float) -> list[float]:
        starts[:] = policy.starts(length)
        return starts

    waves, rate = decoding.excerpts(audio, chosen, policy.seconds)
    made = [HeardClip(start, wave, rate) for start, wave in zip(starts, waves, strict=False)]
    checked_length(audio, len(waves[0]), rate)
    return [clip for clip in made if not too_short(len(clip.wave), rate)]


def explain(
    predictor: BasePredictor, audio: Audio, genre: str | None, progress: Progress
) -> Explanation:
    """What decides a model's answer for one piece of audio; see `Model.explain`."""
    genres = predictor.genres
    if genre is not None and genre not in genres:
        raise unknown("genre of the model", genre, genres, "mgc runs show RUN")
    predictor.prepare()
    with decoders.noting():
        subject = _Subject(predictor, audio)
    shares = predictor.combined(subject.answers)
    number = int(shares.argmax()) if genre is None else genres.index(genre)
    clips = next(iter(subject.clips.values()))
    parts, bands = _parts(clips), _bands(subject)
    ways = [
        _seconds_out(low - AROUND * (high - low), high + AROUND * (high - low), clip)
        for clip, low, high in parts
    ]
    ways += [_band_out(low, high) for low, high in bands]
    effects = []
    with progress.task(f"taking parts out of {audio}", len(ways), "parts") as task:
        for other in subject.occluded(ways):
            effects.append(_log_odds(shares[number]) - _log_odds(other[number]))
            task.advance()
    return Explanation(
        audio if isinstance(audio, Path) else None,
        genres[number],
        float(shares[number]),
        [Effect(*part[1:], e) for part, e in zip(parts, effects, strict=False)],
        [Effect(*band, e) for band, e in zip(bands, effects[len(parts) :], strict=True)],
        _members(predictor, subject.answers, number),
        clips,
        no_music(audio, [clip.wave for clip in clips], clips[0].rate),
    )


def _parts(clips: Sequence[HeardClip]) -> list[tuple[HeardClip, float, float]]:
    """Clip, start and end (s) of the parts whose effects are measured."""
    size = max(PART_SECONDS, sum(clip.end - clip.start for clip in clips) / MAX_PARTS)
    found = []
    for clip in clips:
        seconds = clip.end - clip.start
        edges = np.linspace(clip.start, clip.end, max(MIN_PARTS, round(seconds / size)) + 1)
        found += [(clip, float(a), float(b)) for a, b in itertools.pairwise(edges)]
    return found


def _seconds_out(start: float, end: float, within: HeardClip) -> Occlude:
    start, end = max(start, within.start), min(end, within.end)

    def way(clip: HeardClip) -> HeardClip:
        low, high = max(start, clip.start) - clip.start, min(end, clip.end) - clip.start
        wave = without_seconds(clip.wave, clip.rate, low, high) if low < high else clip.wave
        if len(wave) == len(clip.wave) or too_short(len(wave), clip.rate):
            return clip
        return HeardClip(clip.start, wave, clip.rate)

    return way


def _bands(subject: _Subject) -> list[tuple[float, float]]:
    """Low and high edge (Hz) of the bands, up to what the extractors can hear."""
    heard = max(source.info.sample_rate for source in subject.sources)
    top = min(heard, next(iter(subject.clips.values()))[0].rate) / 2
    edges = [*(edge for edge in OCTAVES if edge < top), top]
    return list(itertools.pairwise(edges))


def _band_out(low: float, high: float) -> Occlude:
    def way(clip: HeardClip) -> HeardClip:
        return HeardClip(clip.start, without_band(clip.wave, clip.rate, low, high), clip.rate)

    return way


def _log_odds(probability: float) -> float:
    inside = min(max(probability, CERTAIN), 1 - CERTAIN)
    return float(np.log(inside / (1 - inside)))


def _members(predictor: BasePredictor, answers: Answers, number: int) -> list[MemberView]:
    """What each member of an ensemble says, and the ensemble without it."""
    if not isinstance(predictor, Predictor) or predictor.run.kind == "single":
        return []
    found = []
    for place, (member, folds) in enumerate(zip(predictor.members, answers, strict=True)):
        mean = np.mean([shares[0] for shares, _ in folds], axis=0)
        usual = member.probabilities(member.rows("test")).mean(0)
        without = apply_without(predictor.run, answers, place, usual)[0]
        genre = predictor.genres[int(mean.argmax())]
        found.append(MemberView(member.label, genre, float(mean[number]), float(without[number])))
    return found
