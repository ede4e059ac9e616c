"""What the genres of the demo music are made of, read from ``styles.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

REST = "." * 16
CLEAN = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When things sound; each track picks one of the patterns.

    A pattern is one bar of sixteenth notes, ``x`` an onset.
    """

    tempo: Sequence[float]  # beats per minute, slowest and fastest
    swing: float = 0.0  # how late the off-beat sixteenths are, as a share of a sixteenth
    kick: Sequence[str] = (REST,)
    snare: Sequence[str] = (REST,)
    hat: Sequence[str] = (REST,)
    comp: Sequence[str]  # the chords
    bass: Sequence[str]
    density: float  # share of the eighths on which the melody moves
    broken: bool = False  # chords one tone at a time


@dataclass(frozen=True, kw_only=True)
class Harmony:
    """Which tones sound. Degrees count from 0 within the mode."""

    tonics: Sequence[int]  # pitch classes that the genre likes, 0 = C
    modes: Sequence[str]
    progressions: Sequence[Sequence[int]]
    stack: Sequence[int]  # degrees above the root that make a chord
    drone: bool = False  # the bass holds the tonic


@dataclass(frozen=True, kw_only=True)
class Timbre:
    """What sounds; a list is a choice that each artist makes once."""

    comp: Sequence[str]
    lead: Sequence[str]
    bass: Sequence[str]
    drive: Sequence[float] = CLEAN  # gain into the distortion; below 1: clean
    machine: bool = False  # drum machine or acoustic kit
    drums: Sequence[float]  # level
    reverb: Sequence[float]  # wet / dry
    tone: float  # tilt of the whole mix in dB per octave


@dataclass(frozen=True, kw_only=True)
class Style:
    """One genre."""

    neighbours: Sequence[str]  # where an artist borrows rhythm, harmony or timbre, if it borrows
    rhythm: Rhythm
    harmony: Harmony
    timbre: Timbre


def read_table(name: str) -> dict[str, Any]:
    """A TOML file of this package."""
    return tomllib.loads((resources.files(__package__) / name).read_text(encoding="utf-8"))


_TABLE = read_table("styles.toml")
#: Mode → the semitones of its degrees above the tonic.
MODES: dict[str, Sequence[int]] = _TABLE["modes"]
STYLES = {
    genre: Style(
        neighbours=style["neighbours"],
        rhythm=Rhythm(**style["rhythm"]),
        harmony=Harmony(**style["harmony"]),
        timbre=Timbre(**style["timbre"]),
    )
    for genre, style in _TABLE["genres"].items()
}
