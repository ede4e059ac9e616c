"""Sounds that are not music, for measuring what a model says about them.

Noises, tones, clicks, hum, machines, weather, animals, silence and signals like a voice: each kind
in `KINDS` is a function of a generator of random numbers and a time axis, so that every sound of a
kind differs. Voices of a speech synthesiser are added where ``espeak-ng`` is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from scipy import signal

from mgc.audio import decoding
from mgc.datasets.synthesis.signals import (
    RATE,
    Maker,
    band,
    bursts,
    coloured,
    crackle,
    harmonics,
    ping,
    poisson,
    regular,
    slow,
    tone,
)
from mgc.errors import UsageError, unknown
from mgc.home import temporary_folder

MIN_SECONDS = 1.0
ESPEAK = "espeak-ng"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")
WORDS = (
    "the weather today will be cloudy with rain in the evening",
    "please hold the line until somebody can take your call",
    "a committee met on Tuesday to discuss the new budget",
    "chapter seven in which nobody says anything at all",
)
DTMF = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))  # Hz, rows and columns of the keypad
#: The first three formants of vowels, Hz (Peterson and Barney 1952, rounded).
VOWELS = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
)


def _sweep(random: Generator, t: np.ndarray) -> np.ndarray:
    ends = np.sort(random.uniform(np.log(40), np.log(9000), 2))[:: random.choice([-1, 1])]
    return tone(np.exp(np.interp((t / random.uniform(2, 20)) % 1, [0, 1], ends)), t)


def _gated(
    random: Generator, t: np.ndarray, hertz: Sequence[float], on: float, of: float
) -> np.ndarray:
    shift = random.uniform(0, of)
    return np.asarray(sum(tone(h, t) for h in hertz) * ((t + shift) % of < on))


def _dtmf(random: Generator, t: np.ndarray) -> np.ndarray:
    key = (t / random.uniform(0.15, 0.5)).astype(int)
    rows, columns = (np.array(side)[random.integers(0, 4, key[-1] + 1)][key] for side in DTMF)
    return np.asarray((tone(rows, t) + tone(columns, t)) * (slow(random, t, 0.2) > 0.3))


def _modem(random: Generator, t: np.ndarray) -> np.ndarray:
    bits = random.integers(0, 2, int(t[-1] * 300) + 1)[(t * 300).astype(int)]
    return tone(np.where(bits, 1270.0, 1070.0), t) + 0.3 * tone(np.where(bits, 2225.0, 2025.0), t)


def _morse(random: Generator, t: np.ndarray) -> np.ndarray:
    units = np.concatenate(
        [[1] * n + [0] * random.choice([1, 3]) for n in random.choice([1, 3], 999)]
    )
    key = units[(t / random.uniform(0.06, 0.12)).astype(int) % len(units)]
    return np.asarray(tone(random.uniform(400, 1000), t) * key + 0.02 * random.normal(size=len(t)))


def _siren(random: Generator, t: np.ndarray) -> np.ndarray:
    cycle = signal.sawtooth(2 * np.pi * t / random.uniform(0.3, 5), random.choice([0.5, 0.9]))
    return harmonics(random.uniform(500, 900) * 1.5**cycle, t, (1, 0.3, 0.2))


def _hum(random: Generator, t: np.ndarray) -> np.ndarray:
    weights = random.exponential(1, 20) / np.arange(1, 21)
    return harmonics(random.choice([50, 60]), t, weights) + 0.05 * random.normal(size=len(t))


def _fan(random: Generator, t: np.ndarray) -> np.ndarray:
    tonal = harmonics(random.uniform(80, 300), t, random.exponential(1, 6))
    return coloured(random, len(t), 1.0) / 20 + random.uniform(0.02, 0.2) * tonal


def _engine(random: Generator, t: np.ndarray) -> np.ndarray:
    base = random.uniform(25, 60) * (1 + slow(random, t, 0.3) + 0.03 * random.normal(size=len(t)))
    wave = harmonics(base, t, random.exponential(1, 25) / np.sqrt(np.arange(1, 26)))
    return wave + band(random.normal(size=len(t)), 100, 4000) * (1.2 + tone(base, t))


def _rotor(random: Generator, t: np.ndarray) -> np.ndarray:
    beat = np.maximum(0, tone(random.uniform(9, 18), t)) ** 3
    return np.asarray(coloured(random, len(t), 1.5) * (0.1 + beat))


def _wind(random: Generator, t: np.ndarray) -> np.ndarray:
    gusts = slow(random, t, 0.5) ** 2 + 0.1
    return band(coloured(random, len(t), 2.0), 30, random.uniform(300, 900)) * gusts


def _surf(random: Generator, t: np.ndarray) -> np.ndarray:
    waves = (0.5 + 0.5 * np.sin(2 * np.pi * t / random.uniform(5, 11))) ** 2 + 0.1
    return coloured(random, len(t), 1.0) * waves


def _rain(random: Generator, t: np.ndarray) -> np.ndarray:
    drops = (random.uniform(size=len(t)) < random.uniform(0.01, 0.1)) * random.exponential(
        1, len(t)
    )
    return band(drops, 700, 9000) + 0.05 * random.normal(size=len(t))


def _thunder(random: Generator, t: np.ndarray) -> np.ndarray:
    times = poisson(random, t, 0.2)
    rumble = sum(np.exp(-np.maximum(t - s, 0) / 1.5) * (t > s) for s in times)
    return np.asarray(band(coloured(random, len(t), 2.0), 20, 400) * (rumble + 0.02))


def _applause(random: Generator, t: np.ndarray) -> np.ndarray:
    hands = bursts(random, t, poisson(random, t, 60), crackle(800, 4000, 0.008))
    return hands + 0.3 * band(random.normal(size=len(t)), 800, 5000)


def _birds(random: Generator, t: np.ndarray) -> np.ndarray:
    def chirp(random: Generator, t: np.ndarray) -> np.ndarray:
        sweep = random.uniform(2500, 5000) + random.uniform(-3000, 3000) * np.sin(40 * t) ** 2
        return tone(sweep, t) * np.exp(-t / random.uniform(0.03, 0.1))

    return bursts(random, t, poisson(random, t, 3), chirp) + 0.01 * coloured(random, len(t), 1.0)


def _crickets(random: Generator, t: np.ndarray) -> np.ndarray:
    trill = (tone(random.uniform(25, 60), t) > 0) * (tone(random.uniform(0.8, 3), t) > 0)
    return tone(random.uniform(3000, 6000), t) * trill + 0.02 * random.normal(size=len(t))


def _barks(random: Generator, t: np.ndarray) -> np.ndarray:
    def bark(random: Generator, t: np.ndarray) -> np.ndarray:
        base = random.uniform(300, 600) * (1.4 - 2 * np.minimum(t, 0.3))
        voiced = harmonics(base, t, 1 / np.arange(1, 12)) + 0.5 * random.normal(size=len(t))
        return band(voiced, 300, 2500) * np.sin(np.pi * np.minimum(t / 0.25, 1))

    return bursts(random, t, poisson(random, t, 1.2), bark)


def voice(random: Generator, t: np.ndarray, voiced: float = 1.0, pitch: float = 0.0) -> np.ndarray:
    """Formant synthesis: syllables of vowels and fricatives, 3 to 6 a second, with pauses."""
    base = pitch or random.uniform(85, 250)
    melody = base * np.exp(0.25 * (slow(random, t, 3) - 0.5) - 0.15 * ((t / 2.5) % 1))
    pulses = signal.sawtooth(2 * np.pi * np.cumsum(melody) / RATE, 0.1) * voiced
    source = pulses + (0.05 + (1 - voiced)) * random.normal(size=len(t))
    rate = random.uniform(3, 6)
    which = random.integers(0, len(VOWELS), int(t[-1] * rate) + 2)
    blend = [np.interp(t * rate, np.arange(len(which)), which == n) for n in range(len(VOWELS))]
    vowels = sum(
        weight * sum(band(source, 0.93 * f, 1.07 * f) / (k + 1) for k, f in enumerate(formants))
        for weight, formants in zip(blend, VOWELS, strict=True)
    )
    open_mouth = np.sin(np.pi * ((t * rate) % 1)) ** 1.5 * (slow(random, t, rate) > 0.15)
    hiss = band(random.normal(size=len(t)), 3500, 8000) * (slow(random, t, rate) > 0.8)
    pauses = slow(random, t, 0.9) > 0.25
    return (np.asarray(vowels) * open_mouth + 0.05 * hiss * (1 - open_mouth)) * pauses


def _babble(random: Generator, t: np.ndarray) -> np.ndarray:
    return np.asarray(sum(voice(random, t) for _ in range(6)))


def _crying(random: Generator, t: np.ndarray) -> np.ndarray:
    cry = np.maximum(0, tone(random.uniform(0.6, 1.1), t)) ** 0.5
    return np.asarray(harmonics(450 * (1 + 0.3 * cry), t, (1, 0.8, 0.9, 0.5, 0.4, 0.3)) * cry)


def espeak(random: Generator, t: np.ndarray) -> np.ndarray:
    """A synthesised voice in one of `LANGUAGES`; needs the program ``espeak-ng``."""
    with temporary_folder() as folder:
        path = folder / "voice.wav"
        language, pace = random.choice(LANGUAGES), str(random.integers(120, 200))
        text = ". ".join(random.permutation(np.repeat(WORDS, 1 + int(t[-1]) // 12)))
        command = [ESPEAK, "-v", str(language), "-s", pace, "-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        wave, rate = decoding.decode(path)
    return np.resize(decoding.resample(wave, rate, RATE), len(t))


KINDS: dict[str, Maker] = {
    "white noise": lambda r, t: coloured(r, len(t), 0.0),
    "pink noise": lambda r, t: coloured(r, len(t), 1.0),
    "brown noise": lambda r, t: coloured(r, len(t), 2.0),
    "band noise": lambda r, t: band(r.normal(size=len(t)), c := r.uniform(100, 4000), 1.5 * c),
    "wind": _wind,
    "surf": _surf,
    "rain": _rain,
    "thunder": _thunder,
    "applause": _applause,
    "static": lambda r, t: r.normal(size=len(t)) * (r.uniform(size=len(t)) < r.uniform(1e-4, 1e-2)),
    "tone": lambda r, t: tone(r.uniform(80, 4000), t),
    "two tones": lambda r, t: tone(r.uniform(80, 4000), t) + tone(r.uniform(80, 4000), t),
    "sweep": _sweep,
    "siren": _siren,
    "keypad": _dtmf,
    "dial tone": lambda r, t: tone(350, t) + tone(440, t),
    "busy tone": lambda r, t: _gated(r, t, (480, 620), 0.5, 1.0),
    "alarm": lambda r, t: _gated(r, t, [r.uniform(800, 3500)], 0.1, r.choice([0.2, 0.5, 1.0])),
    "modem": _modem,
    "morse": _morse,
    "metronome": lambda r, t: bursts(r, t, regular(r, t, 0.3, 1), ping(800, 2500, 0.01)),
    "clock": lambda r, t: bursts(r, t, regular(r, t, 0.5, 1), crackle(1500, 6000, 0.004)),
    "geiger": lambda r, t: bursts(r, t, poisson(r, t, r.uniform(2, 30)), crackle(800, 8000, 0.002)),
    "typing": lambda r, t: bursts(r, t, poisson(r, t, 5), crackle(400, 5000, 0.02)),
    "footsteps": lambda r, t: bursts(r, t, regular(r, t, 0.4, 0.8), crackle(60, 1200, 0.05)),
    "drips": lambda r, t: bursts(r, t, poisson(r, t, 2), ping(600, 2500, 0.03)),
    "crockery": lambda r, t: bursts(r, t, poisson(r, t, 2), ping(900, 3000, 0.08, 5)),
    "hum": _hum,
    "fan": _fan,
    "engine": _engine,
    "rotor": _rotor,
    "birds": _birds,
    "crickets": _crickets,
    "barks": _barks,
    "crying": _crying,
    "voice": voice,
    "whisper": lambda r, t: voice(r, t, voiced=0.0),
    "babble": _babble,
    "silence": lambda r, t: 1e-4 * coloured(r, len(t), r.uniform(0, 2)),
    "digital silence": lambda r, t: np.zeros(len(t)),
}


def kinds() -> list[str]:
    """The kinds that can be made here; ``espeak`` is one if the program is installed."""
    return [*KINDS, *(["espeak"] if shutil.which(ESPEAK) else [])]


def not_music(kind: str, seed: int = 0, seconds: float = 30.0) -> tuple[np.ndarray, int]:
    """A sound of a kind: mono samples (sample,) float32, and their rate in Hz.

    The peak is between −30 and 0 dBFS; silence stays as quiet as it is. The same seed gives the
    same sound. Raises UsageError for another kind than those of `kinds`, or under a second.
    """
    if kind not in kinds():
        raise unknown("kind", kind, kinds(), "mgc.datasets.synthesis.not_music.kinds()")
    if not seconds >= MIN_SECONDS:
        raise UsageError(f"A sound takes at least {MIN_SECONDS:g} s, not {seconds}.")
    random = np.random.default_rng([seed, *kind.encode()])
    t = np.arange(int(seconds * RATE)) / RATE
    wave = (espeak if kind == "espeak" else KINDS[kind])(random, t)
    peak = np.abs(wave).max() if "silence" not in kind else 1.0
    return (wave * (10 ** random.uniform(-1.5, 0) / (peak or 1.0))).astype(np.float32), RATE
