"""Synthesise the music of the demo dataset: eight genres, artists with their own style, tracks.

A track depends on its arguments alone. An artist keeps to its instruments, tempo, keys, tuning,
loudness and room; some artists borrow their rhythm, harmony or timbre from a neighbouring genre.
Learning who plays therefore helps on artists that were heard before and on no others, as in real
collections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from mgc.datasets.synthesis.styles import MODES, STYLES, Style
from mgc.datasets.synthesis.voices import VOICES, Samples, drum, note, room

T = TypeVar("T")

GENRES: tuple[str, ...] = tuple(STYLES)

STEPS = 16  # sixteenth notes in a bar
BORROWS = 0.35  # share of artists that take one aspect from a neighbouring genre
STRAYS = 0.12  # share of tracks that do so in addition to what their artist does
# What is borrowed; timbre less often, since instruments are what a genre keeps to most.
BORROWED = ("rhythm", "rhythm", "harmony", "harmony", "timbre")
STRAYED = ("rhythm", "harmony")


class Artist:
    """What stays the same across all tracks of one artist, drawn once."""

    def __init__(self, genre: str, rng: np.random.Generator) -> None:
        self.style = STYLES[genre]
        if rng.random() < BORROWS:
            self.style = _borrow(genre, self.style, BORROWED, rng)
        timbre = self.style.timbre
        self.tempo = _between(self.style.rhythm.tempo, rng)  # beats per minute
        self.tonic = _pick(self.style.harmony.tonics, rng)  # favourite pitch class
        self.cents = rng.normal(0, 12)  # tuning away from A = 440 Hz
        self.comp = _pick(timbre.comp, rng)
        self.lead = _pick(timbre.lead, rng)
        self.bass = _pick(timbre.bass, rng)
        self.drive = _between(timbre.drive, rng)
        self.bright = float(np.exp(rng.normal(0, 0.3)))
        self.tilt = rng.normal(timbre.tone, 0.6)  # dB per octave
        self.drums = _between(timbre.drums, rng)
        self.leading = rng.uniform(0.4, 0.8)  # level of the melody
        self.wet = _between(timbre.reverb, rng)
        self.ring = rng.uniform(0.3, 1.2)  # seconds that the room rings
        self.level = rng.uniform(0.45, 0.95)  # peak of the finished track


class Hit(NamedTuple):
    """One tone of a part; time in seconds, pitch as a MIDI number."""

    start: float
    pitch: int
    seconds: float
    velocity: float


def synthesise(
    genre: str,
    artist: int,
    track: int,
    *,
    seconds: float = 8.0,
    sample_rate: int = 22050,
    seed: int = 0,
) -> Samples:
    """Synthesise one track as mono float32 of `round(seconds * sample_rate)` samples in [-1, 1].

    `artist`, `track` and `seed` are counted from 0; the same arguments give the same samples in
    any process. Raises KeyError for a genre that is not in GENRES.
    """
    if genre not in STYLES:
        raise KeyError(f"{genre!r} is not one of {', '.join(GENRES)}")
    number = GENRES.index(genre)
    # 1 and 2 keep the two streams apart: numpy reads [a, b] and [a, b, 0] as the same seed.
    who = Artist(genre, np.random.default_rng([seed, 1, number, artist]))
    rng = np.random.default_rng([seed, 2, number, artist, track])
    if rng.random() < STRAYS:
        who.style = _borrow(genre, who.style, STRAYED, rng)
    return _Performance(who, round(seconds * sample_rate), sample_rate, rng).mixed()


def _borrow(genre: str, style: Style, facets: Sequence[str], rng: np.random.Generator) -> Style:
    """Replace one aspect with that of a neighbouring genre."""
    facet = _pick(facets, rng)
    neighbour = STYLES[_pick(STYLES[genre].neighbours, rng)]
    return replace(style, **{facet: getattr(neighbour, facet)})


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _between(bounds: Sequence[float], rng: np.random.Generator) -> float:
    low, high = bounds
    return rng.uniform(low, high)


class _Performance:
    """One track in an artist's style: its key, its chords, and the parts that are played.

    Every step draws from ``rng``, so the order of the steps is part of the result.
    """

    def __init__(self, who: Artist, count: int, rate: int, rng: np.random.Generator) -> None:
        self.who, self.count, self.rate, self.rng = who, count, rate, rng
        self.rhythm, self.harmony = who.style.rhythm, who.style.harmony
        tempo = who.tempo * rng.uniform(0.92, 1.08)
        self.step = 60 / tempo / 4
        bars = int(np.ceil(count / rate / (STEPS * self.step))) or 1
        self.tonic = who.tonic if rng.random() < 0.8 else _pick(self.harmony.tonics, rng)
        self.scale = MODES[_pick(self.harmony.modes, rng)]
        progression = _pick(self.harmony.progressions, rng)
        first = int(rng.integers(2))
        self.roots = [progression[(first + bar) % len(progression)] for bar in range(bars)]

    def mixed(self) -> Samples:
        """Compose all parts, then play and mix them."""
        who = self.who
        comp, bass, lead = list(self._comp()), list(self._bass()), list(self._lead())
        mix = 0.6 * _distort(self._play(comp, who.comp), who.drive)
        mix += 0.5 * self._play(bass, who.bass)
        mix += who.leading * _distort(self._play(lead, who.lead), who.drive)
        mix += who.drums * self._drums()
        mix = room(mix, who.wet, who.ring, who.tilt, self.rng, self.rate)
        peak = max(float(np.abs(mix).max(initial=0)), 1e-9)
        return (mix * np.float32(who.level / peak)).astype(np.float32)

    def _time(self, bar: int, place: int) -> float:
        """When a step sounds: the grid, its swing, and the small timing errors of players."""
        late = self.rhythm.swing * self.step if place % 4 in (2, 3) else 0.0
        return (bar * STEPS + place) * self.step + late + self.rng.uniform(0, 0.008)

    def _pitch(self, degree: int) -> int:
        """A degree of the key as a MIDI number around the octave of middle C."""
        octave, place = divmod(int(degree), len(self.scale))
        return 60 + (self.tonic + 5) % 12 - 5 + 12 * octave + self.scale[place]

    def _comp(self) -> Iterator[Hit]:
        """Chords on the pattern's onsets, whole, or broken into single tones."""
        onsets = _onsets(_pick(self.rhythm.comp, self.rng))
        lift = 12 * int(self.rng.integers(-1, 1))
        for bar, root in enumerate(self.roots):
            chord = [self._pitch(root + above) for above in self.harmony.stack]
            for turn, (place, steps) in enumerate(onsets):
                start, held = self._time(bar, place), steps * self.step
                played = [chord[turn % len(chord)]] if self.rhythm.broken else chord
                for pitch in played:
                    velocity = self.rng.uniform(0.7, 1) / len(played) ** 0.5
                    yield Hit(start, pitch + lift, held, velocity)

    def _bass(self) -> Iterator[Hit]:
        """Roots, and occasionally another tone of the chord; a drone stays on the tonic."""
        onsets = _onsets(_pick(self.rhythm.bass, self.rng))
        for bar, root in enumerate(self.roots):
            for place, steps in onsets:
                degree = 0 if self.harmony.drone else root
                if place and self.rng.random() < 0.3:
                    degree += _pick((2, 4, 7), self.rng)
                yield Hit(self._time(bar, place), self._pitch(degree) - 24, steps * self.step, 1.0)

    def _lead(self) -> Iterator[Hit]:
        """A melody that walks through the scale and lands on chord tones on the beats."""
        degree = int(self.rng.integers(4, 9))
        lift = 12 * int(self.rng.integers(0, 2))
        for bar, root in enumerate(self.roots):
            places = [p for p in range(0, STEPS, 2) if self.rng.random() < self.rhythm.density]
            for here, after in pairwise([*places, STEPS]):
                degree = int(np.clip(degree + self.rng.integers(-2, 3), 2, 12))
                if here % 4 == 0 and (degree - root) % 7 not in (0, 2, 4):
                    degree += 1
                start, held = self._time(bar, here), min(after - here, 8) * self.step
                yield Hit(start, self._pitch(degree) + lift, held, self.rng.uniform(0.6, 1))

    def _play(self, hits: list[Hit], voice: str) -> Samples:
        """Render each distinct tone once and place it wherever it sounds."""
        part = np.zeros(self.count, dtype=np.float32)
        rendered: dict[tuple[int, int], Samples] = {}
        for hit in hits:
            key = (hit.pitch, round(hit.seconds * 1000))
            if key not in rendered:
                hz = 440 * 2 ** ((hit.pitch - 69 + self.who.cents / 100) / 12)
                rendered[key] = note(
                    VOICES[voice], hz, hit.seconds, self.who.bright, self.rng, self.rate
                )
            self._place(part, rendered[key], hit.start, hit.velocity)
        return part

    def _drums(self) -> Samples:
        """Play the drum patterns bar after bar."""
        part = np.zeros(self.count, dtype=np.float32)
        for name, gain in (("kick", 1.0), ("snare", 0.8), ("hat", 0.3)):
            pattern = _pick(getattr(self.rhythm, name), self.rng)
            machine = self.who.style.timbre.machine
            sound = drum(name, machine, self.who.bright, self.rng, self.rate)
            for bar in range(len(self.roots)):
                for place, _ in _onsets(pattern):
                    start = self._time(bar, place)
                    self._place(part, sound, start, gain * self.rng.uniform(0.75, 1))
        return part

    def _place(self, part: Samples, sound: Samples, start: float, gain: float) -> None:
        """Add a sound at a given time, cut off at the end of the track."""
        first = round(start * self.rate)
        room_left = max(0, part.size - first)
        part[first : first + sound.size] += np.float32(gain) * sound[:room_left]


def _onsets(pattern: str) -> list[tuple[int, int]]:
    """Return each onset of a bar and the number of steps to the next one."""
    places = [place for place, mark in enumerate(pattern) if mark == "x"]
    return [(here, after - here) for here, after in pairwise([*places, STEPS])]


def _distort(part: Samples, drive: float) -> Samples:
    """Saturate as an overdriven amplifier does; a drive below 1 leaves the part clean."""
    return part if drive < 1 else np.tanh(np.float32(drive) * part)
