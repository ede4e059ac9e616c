"""What the genres of the demo music are made of: rhythm, harmony and timbre, as data.

Neighbouring genres share one of the three on purpose, so that no kind of feature separates all
genres: rock and metal share their instruments, jazz and hip-hop their chords, electronic and
ambient their synthesisers, folk and classical their strings and flutes.
"""

from __future__ import annotations

from dataclasses import dataclass

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}

# Patterns: one bar of sixteenth notes, `x` an onset.
REST = "." * 16
BAR = "x" + "." * 15
EIGHTHS = "x." * 8
OFFBEATS = "..x." * 4
BEATS = "x..." * 4
BACKBEAT = "....x.......x..."

CLEAN = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When things sound; each track picks one of the patterns."""

    tempo: tuple[float, float]  # beats per minute, slowest and fastest
    swing: float = 0.0  # how late the off-beat sixteenths are, as a share of a sixteenth
    kick: tuple[str, ...] = (REST,)
    snare: tuple[str, ...] = (REST,)
    hat: tuple[str, ...] = (REST,)
    comp: tuple[str, ...]  # the chords
    bass: tuple[str, ...]
    density: float  # share of the eighths on which the melody moves
    broken: bool = False  # chords one tone at a time


@dataclass(frozen=True, kw_only=True)
class Harmony:
    """Which tones sound. Degrees count from 0 within the mode."""

    tonics: tuple[int, ...]  # pitch classes that the genre likes, 0 = C
    modes: tuple[str, ...]
    progressions: tuple[tuple[int, ...], ...]
    stack: tuple[int, ...]  # degrees above the root that make a chord
    drone: bool = False  # the bass holds the tonic


@dataclass(frozen=True, kw_only=True)
class Timbre:
    """What sounds; a tuple is a choice that each artist makes once."""

    comp: tuple[str, ...]
    lead: tuple[str, ...]
    bass: tuple[str, ...]
    drive: tuple[float, float] = CLEAN  # gain into the distortion; below 1: clean
    machine: bool = False  # drum machine or acoustic kit
    drums: tuple[float, float]  # level
    reverb: tuple[float, float]  # wet / dry
    tone: float  # tilt of the whole mix in dB per octave


@dataclass(frozen=True, kw_only=True)
class Style:
    """One genre."""

    rhythm: Rhythm
    harmony: Harmony
    timbre: Timbre


STYLES: dict[str, Style] = {
    "ambient": Style(
        rhythm=Rhythm(
            tempo=(60, 84),
            kick=(REST, BAR),
            hat=(REST, OFFBEATS),
            comp=(BAR,),
            bass=(BAR,),
            density=0.15,
        ),
        harmony=Harmony(
            tonics=(1, 8),
            modes=("lydian",),
            progressions=((0, 0, 1, 0), (0, 4)),
            stack=(0, 4, 8, 9),
            drone=True,
        ),
        timbre=Timbre(
            comp=("pad", "strings"),
            lead=("bell", "flute", "pad"),
            bass=("sub",),
            machine=True,
            drums=(0.1, 0.4),
            reverb=(0.5, 1.0),
            tone=-3.2,
        ),
    ),
    "classical": Style(
        rhythm=Rhythm(
            tempo=(84, 132),
            comp=(EIGHTHS, BEATS),
            bass=("x.......x.......",),
            density=0.6,
            broken=True,
        ),
        harmony=Harmony(
            tonics=(0, 5),
            modes=("major",),
            progressions=((0, 3, 4, 0), (0, 1, 4, 0), (0, 5, 1, 4)),
            stack=(0, 2, 4),
        ),
        timbre=Timbre(
            comp=("piano", "strings", "nylon"),
            lead=("strings", "flute", "piano"),
            bass=("strings", "piano"),
            drums=(0.1, 0.2),
            reverb=(0.2, 0.5),
            tone=-0.8,
        ),
    ),
    "electronic": Style(
        rhythm=Rhythm(
            tempo=(116, 134),
            kick=(BEATS,),
            snare=(BACKBEAT, REST),
            hat=(OFFBEATS, "x" * 16),
            comp=(OFFBEATS, "x..x..x...x..x.."),
            bass=(OFFBEATS, EIGHTHS),
            density=0.5,
        ),
        harmony=Harmony(
            tonics=(6, 1),
            modes=("minor",),
            progressions=((0, 5, 2, 6), (0, 0, 5, 6)),
            stack=(0, 2, 4),
        ),
        timbre=Timbre(
            comp=("saw", "pad", "square"),
            lead=("saw", "square", "bell"),
            bass=("synthbass", "sub"),
            machine=True,
            drums=(0.3, 0.8),
            reverb=(0.15, 0.6),
            tone=1.6,
        ),
    ),
    "folk": Style(
        rhythm=Rhythm(
            tempo=(92, 132),
            swing=0.1,
            kick=(REST, "x.......x......."),
            hat=(REST, OFFBEATS),
            comp=("x...x.x...x.x.x.", EIGHTHS),
            bass=("x.......x.......",),
            density=0.55,
        ),
        harmony=Harmony(
            tonics=(2, 9),
            modes=("mixolydian",),
            progressions=((0, 6, 3, 0), (0, 6, 0, 4), (0, 3, 0, 6)),
            stack=(0, 4, 7),
            drone=True,
        ),
        timbre=Timbre(
            comp=("guitar", "nylon"),
            lead=("flute", "strings", "guitar"),
            bass=("fingered", "nylon"),
            drums=(0.2, 0.4),
            reverb=(0.1, 0.3),
            tone=0.8,
        ),
    ),
    "hiphop": Style(
        rhythm=Rhythm(
            tempo=(78, 98),
            swing=0.3,
            kick=("x..x..x...x.....", "x.....xx..x.....", "x.......x.x....."),
            snare=(BACKBEAT,),
            hat=(EIGHTHS, "x.x.x.xxx.x.x.x."),
            comp=(BAR, "x.....x........."),
            bass=("x..x..x...x.....", "x.........x....."),
            density=0.25,
        ),
        harmony=Harmony(
            tonics=(0, 5),
            modes=("dorian", "minor"),
            progressions=((0, 3), (0, 5), (1, 4, 0, 0)),
            stack=(0, 2, 4, 6),
        ),
        timbre=Timbre(
            comp=("epiano", "piano", "organ"),
            lead=("epiano", "bell", "square"),
            bass=("sub", "synthbass"),
            machine=True,
            drums=(0.7, 1.0),
            reverb=(0.05, 0.25),
            tone=-2.4,
        ),
    ),
    "jazz": Style(
        rhythm=Rhythm(
            tempo=(112, 190),
            swing=0.3,
            kick=("x...............", "x.......x......."),
            snare=(REST, "......x......x.."),
            hat=("x...x..xx...x..x",),
            comp=("..x...x.....x...", "x.....x........."),
            bass=(BEATS,),
            density=0.65,
        ),
        harmony=Harmony(
            tonics=(3, 10),
            modes=("major",),
            progressions=((1, 4, 0, 0), (0, 5, 1, 4)),
            stack=(0, 2, 4, 6, 8),
        ),
        timbre=Timbre(
            comp=("piano", "epiano", "nylon"),
            lead=("reed", "piano", "guitar"),
            bass=("fingered",),
            drums=(0.25, 0.5),
            reverb=(0.1, 0.3),
            tone=-1.6,
        ),
    ),
    "metal": Style(
        rhythm=Rhythm(
            tempo=(130, 190),
            kick=("x.xxx.xxx.xxx.xx", "x" * 16, EIGHTHS),
            snare=(BACKBEAT,),
            hat=(BEATS, EIGHTHS),
            comp=("x.xxx.xxx.xxx.xx", EIGHTHS, "x" * 16),
            bass=(EIGHTHS,),
            density=0.5,
        ),
        harmony=Harmony(
            tonics=(4, 11),
            modes=("phrygian", "harmonic"),
            progressions=((0, 0, 1, 0), (0, 5, 6, 1), (0, 1, 0, 4)),
            stack=(0, 4, 7),
        ),
        timbre=Timbre(
            comp=("electric",),
            lead=("electric", "saw"),
            bass=("fingered",),
            drive=(4, 14),
            drums=(0.5, 0.9),
            reverb=(0.05, 0.25),
            tone=2.4,
        ),
    ),
    "rock": Style(
        rhythm=Rhythm(
            tempo=(104, 150),
            kick=("x.......x.x.....", "x.....x.x......."),
            snare=(BACKBEAT,),
            hat=(EIGHTHS,),
            comp=(EIGHTHS, "x...x.x...x.x.x."),
            bass=(EIGHTHS,),
            density=0.4,
        ),
        harmony=Harmony(
            tonics=(4, 11),
            modes=("mixolydian", "major"),
            progressions=((0, 6, 3, 0), (0, 4, 5, 3), (0, 3, 4, 3)),
            stack=(0, 2, 4),
        ),
        timbre=Timbre(
            comp=("electric",),
            lead=("electric", "organ"),
            bass=("fingered",),
            drive=(2, 10),
            drums=(0.45, 0.85),
            reverb=(0.05, 0.3),
            tone=0.0,
        ),
    ),
}
