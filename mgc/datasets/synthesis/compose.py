"""Synthesise the music of the demo dataset: eight genres, artists with their own style, tracks.

A track depends on its arguments alone. An artist keeps to its instruments, tempo, keys, tuning,
loudness and room; some artists borrow their rhythm, harmony or timbre from a neighbouring genre.
Learning who plays therefore helps on artists that were heard before and on no others, as in real
collections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from mgc.datasets.synthesis.styles import MODES, STYLES, Harmony, Rhythm, Style
from mgc.datasets.synthesis.voices import VOICES, Samples, drum, note, room

T = TypeVar("T")

GENRES: tuple[str, ...] = tuple(STYLES)

STEPS = 16  # sixteenth notes in a bar
BORROWS = 0.35  # share of artists that take one aspect from a neighbouring genre
STRAYS = 0.12  # share of tracks that do so in addition to what their artist does
# What is borrowed; timbre less often, since instruments are what a genre keeps to most.
BORROWED = ("rhythm", "rhythm", "harmony", "harmony", "timbre")
STRAYED = ("rhythm", "harmony")

# The genre an artist borrows rhythm, harmony or timbre from, if it borrows.
NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "ambient": ("electronic", "classical"),
    "classical": ("folk", "ambient"),
    "electronic": ("ambient", "hiphop"),
    "folk": ("classical", "rock"),
    "hiphop": ("jazz", "electronic"),
    "jazz": ("hiphop", "classical"),
    "metal": ("rock", "electronic"),
    "rock": ("metal", "folk"),
}


@dataclass(frozen=True)
class Artist:
    """What stays the same across all tracks of one artist."""

    style: Style
    tempo: float  # beats per minute
    tonic: int  # favourite pitch class
    cents: float  # tuning away from A = 440 Hz
    comp: str
    lead: str
    bass: str
    drive: float
    bright: float
    tilt: float  # dB per octave
    drums: float
    leading: float  # level of the melody
    wet: float
    ring: float  # seconds that the room rings
    level: float  # peak of the finished track


@dataclass(frozen=True)
class Hit:
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
    number = list(STYLES).index(genre) if genre in STYLES else None
    if number is None:
        raise KeyError(f"{genre!r} is not one of {', '.join(GENRES)}")
    # 1 and 2 keep the two streams apart: numpy reads [a, b] and [a, b, 0] as the same seed.
    who = _artist(genre, np.random.default_rng([seed, 1, number, artist]))
    rng = np.random.default_rng([seed, 2, number, artist, track])
    if rng.random() < STRAYS:
        who = replace(who, style=_borrow(genre, who.style, STRAYED, rng))
    return _perform(who, round(seconds * sample_rate), sample_rate, rng)


def _borrow(genre: str, style: Style, facets: Sequence[str], rng: np.random.Generator) -> Style:
    """Replace one aspect with that of a neighbouring genre."""
    facet = _pick(facets, rng)
    neighbour = STYLES[_pick(NEIGHBOURS[genre], rng)]
    return replace(style, **{facet: getattr(neighbour, facet)})


def _artist(genre: str, rng: np.random.Generator) -> Artist:
    """Draw the character of one artist."""
    style = STYLES[genre]
    if rng.random() < BORROWS:
        style = _borrow(genre, style, BORROWED, rng)
    timbre = style.timbre
    return Artist(
        style=style,
        tempo=rng.uniform(*style.rhythm.tempo),
        tonic=_pick(style.harmony.tonics, rng),
        cents=rng.normal(0, 12),
        comp=_pick(timbre.comp, rng),
        lead=_pick(timbre.lead, rng),
        bass=_pick(timbre.bass, rng),
        drive=rng.uniform(*timbre.drive),
        bright=float(np.exp(rng.normal(0, 0.3))),
        tilt=rng.normal(timbre.tone, 0.6),
        drums=rng.uniform(*timbre.drums),
        leading=rng.uniform(0.4, 0.8),
        wet=rng.uniform(*timbre.reverb),
        ring=rng.uniform(0.3, 1.2),
        level=rng.uniform(0.45, 0.95),
    )


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _perform(who: Artist, count: int, rate: int, rng: np.random.Generator) -> Samples:
    """Compose a track in the artist's style, play its parts and mix them."""
    rhythm, harmony = who.style.rhythm, who.style.harmony
    tempo = who.tempo * rng.uniform(0.92, 1.08)
    step = 60 / tempo / 4
    bars = int(np.ceil(count / rate / (STEPS * step))) or 1
    tonic = who.tonic if rng.random() < 0.8 else _pick(harmony.tonics, rng)
    scale = MODES[_pick(harmony.modes, rng)]
    progression = _pick(harmony.progressions, rng)
    first = int(rng.integers(2))
    roots = [progression[(first + bar) % len(progression)] for bar in range(bars)]
    clock = _Clock(step, rhythm.swing, rng)
    tones = _Tones(tonic, scale, harmony)
    comp = list(_comp(roots, tones, who, clock, rng))
    bass = list(_bass(roots, tones, rhythm, clock, rng))
    lead = list(_lead(roots, tones, who, clock, rng))
    mix = 0.6 * _distort(_play(comp, who.comp, who, count, rate, rng), who.drive)
    mix += 0.5 * _play(bass, who.bass, who, count, rate, rng)
    mix += who.leading * _distort(_play(lead, who.lead, who, count, rate, rng), who.drive)
    mix += who.drums * _drums(rhythm, bars, who, clock, count, rate, rng)
    mix = room(mix, who.wet, who.ring, who.tilt, rng, rate)
    peak = max(float(np.abs(mix).max(initial=0)), 1e-9)
    return (mix * np.float32(who.level / peak)).astype(np.float32)


class _Clock:
    """When a step sounds: the grid, its swing, and the small timing errors of players."""

    def __init__(self, step: float, swing: float, rng: np.random.Generator) -> None:
        self.step = step
        self.swing = swing
        self.rng = rng

    def __call__(self, bar: int, place: int) -> float:
        late = self.swing * self.step if place % 4 in (2, 3) else 0.0
        return (bar * STEPS + place) * self.step + late + self.rng.uniform(0, 0.008)


@dataclass(frozen=True)
class _Tones:
    """Degrees of a key as MIDI numbers around the octave of middle C."""

    tonic: int
    scale: tuple[int, ...]
    harmony: Harmony

    def pitch(self, degree: int) -> int:
        octave, place = divmod(int(degree), len(self.scale))
        return 60 + (self.tonic + 5) % 12 - 5 + 12 * octave + self.scale[place]

    def chord(self, root: int) -> list[int]:
        return [self.pitch(root + above) for above in self.harmony.stack]


def _onsets(pattern: str) -> list[tuple[int, int]]:
    """Return each onset of a bar and the number of steps to the next one."""
    places = [place for place, mark in enumerate(pattern) if mark == "x"]
    return [(here, after - here) for here, after in zip(places, [*places[1:], STEPS], strict=False)]


def _comp(
    roots: Sequence[int], tones: _Tones, who: Artist, clock: _Clock, rng: np.random.Generator
) -> Iterator[Hit]:
    """Chords on the pattern's onsets, whole, or broken into single tones."""
    onsets = _onsets(_pick(who.style.rhythm.comp, rng))
    lift = 12 * int(rng.integers(-1, 1))
    for bar, root in enumerate(roots):
        chord = tones.chord(root)
        for turn, (place, steps) in enumerate(onsets):
            start = clock(bar, place)
            held = min(steps, 16) * clock.step
            played = [chord[turn % len(chord)]] if who.style.rhythm.broken else chord
            for pitch in played:
                yield Hit(start, pitch + lift, held, rng.uniform(0.7, 1) / len(played) ** 0.5)


def _bass(
    roots: Sequence[int],
    tones: _Tones,
    rhythm: Rhythm,
    clock: _Clock,
    rng: np.random.Generator,
) -> Iterator[Hit]:
    """Roots, and occasionally another tone of the chord; a drone stays on the tonic."""
    onsets = _onsets(_pick(rhythm.bass, rng))
    for bar, root in enumerate(roots):
        for place, steps in onsets:
            degree = 0 if tones.harmony.drone else root
            if place and rng.random() < 0.3:
                degree = degree + _pick((2, 4, 7), rng)
            yield Hit(clock(bar, place), tones.pitch(degree) - 24, steps * clock.step, 1.0)


def _lead(
    roots: Sequence[int], tones: _Tones, who: Artist, clock: _Clock, rng: np.random.Generator
) -> Iterator[Hit]:
    """A melody that walks through the scale and lands on chord tones on the beats."""
    degree = int(rng.integers(4, 9))
    lift = 12 * int(rng.integers(0, 2))
    for bar, root in enumerate(roots):
        places = [p for p in range(0, STEPS, 2) if rng.random() < who.style.rhythm.density]
        for here, after in zip(places, [*places[1:], STEPS], strict=False):
            degree = int(np.clip(degree + rng.integers(-2, 3), 2, 12))
            if here % 4 == 0 and (degree - root) % 7 not in (0, 2, 4):
                degree += 1
            held = min(after - here, 8) * clock.step
            yield Hit(clock(bar, here), tones.pitch(degree) + lift, held, rng.uniform(0.6, 1))


def _play(
    hits: list[Hit], voice: str, who: Artist, count: int, rate: int, rng: np.random.Generator
) -> Samples:
    """Render each distinct tone once and place it wherever it sounds."""
    part = np.zeros(count, dtype=np.float32)
    rendered: dict[tuple[int, int], Samples] = {}
    for hit in hits:
        key = (hit.pitch, round(hit.seconds * 1000))
        if key not in rendered:
            hz = 440 * 2 ** ((hit.pitch - 69 + who.cents / 100) / 12)
            rendered[key] = note(VOICES[voice], hz, hit.seconds, who.bright, rng, rate)
        _place(part, rendered[key], hit.start, hit.velocity, rate)
    return part


def _place(part: Samples, sound: Samples, start: float, gain: float, rate: int) -> None:
    """Add a sound at a given time, cut off at the end of the track."""
    first = round(start * rate)
    room_left = max(0, part.size - first)
    part[first : first + sound.size] += np.float32(gain) * sound[:room_left]


def _distort(part: Samples, drive: float) -> Samples:
    """Saturate as an overdriven amplifier does; a drive below 1 leaves the part clean."""
    return part if drive < 1 else np.tanh(np.float32(drive) * part)


def _drums(
    rhythm: Rhythm,
    bars: int,
    who: Artist,
    clock: _Clock,
    count: int,
    rate: int,
    rng: np.random.Generator,
) -> Samples:
    """Play the drum patterns bar after bar."""
    part = np.zeros(count, dtype=np.float32)
    for name, gain in (("kick", 1.0), ("snare", 0.8), ("hat", 0.3)):
        pattern = _pick(getattr(rhythm, name), rng)
        sound = drum(name, who.style.timbre.machine, who.bright, rng, rate)
        for bar in range(bars):
            for place, _ in _onsets(pattern):
                _place(part, sound, clock(bar, place), gain * rng.uniform(0.75, 1), rate)
    return part
