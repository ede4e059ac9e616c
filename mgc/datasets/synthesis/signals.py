"""Noises, tones and bursts: what the sounds of `mgc.datasets.synthesis.not_music` are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from scipy import signal

RATE = 22_050  # Hz
VARIANTS = 16  # different claps, drops or clicks in a sound

#: Of the partials 1, 2, … of a tone.
Weights = Sequence[float] | np.ndarray
#: Makes a sound from random numbers and the times of its samples (sample,), in seconds.
Maker = Callable[[Generator, np.ndarray], np.ndarray]


def coloured(random: Generator, count: int, slope: float, low: float = 20.0) -> np.ndarray:
    """Noise whose power falls as frequency to the ``slope``: 0 white, 1 pink, 2 brown."""
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    phases = random.normal(size=(2, len(hertz)))
    shape = np.maximum(hertz, low) ** (-slope / 2)
    return np.fft.irfft((phases[0] + 1j * phases[1]) * shape, count)


def band(wave: np.ndarray, low: float, high: float) -> np.ndarray:
    """A wave between two frequencies in Hz."""
    edges = (low, min(high, 0.49 * RATE))
    return np.asarray(signal.sosfilt(signal.butter(2, edges, "band", fs=RATE, output="sos"), wave))


def slow(random: Generator, t: np.ndarray, hertz: float) -> np.ndarray:
    """A random curve from 0 to 1 that changes about ``hertz`` times a second."""
    knots = random.uniform(size=int(t[-1] * hertz) + 3)
    return np.interp(t * hertz, np.arange(len(knots)), knots)


def bursts(random: Generator, t: np.ndarray, times: np.ndarray, maker: Maker) -> np.ndarray:
    """A short sound of ``maker`` (up to 0.5 s, decaying by itself) at each of the times."""
    made = np.zeros(len(t) + RATE)
    short = np.arange(RATE // 2) / RATE
    variants = [maker(random, short) for _ in range(VARIANTS)]
    for start in (times[times < t[-1]] * RATE).astype(int):
        made[start : start + len(short)] += random.choice(variants) * random.uniform(0.3, 1)
    return made[: len(t)]


def poisson(random: Generator, t: np.ndarray, rate: float) -> np.ndarray:
    """Random times, ``rate`` a second on average."""
    return np.cumsum(random.exponential(1 / rate, int(t[-1] * rate * 2) + 9))


def regular(random: Generator, t: np.ndarray, low: float, high: float) -> np.ndarray:
    """Times at a constant interval drawn from ``low`` to ``high`` seconds."""
    return np.arange(random.uniform(0, 0.5), t[-1], random.uniform(low, high))


def ping(low: float, high: float, decay: float, partials: int = 1) -> Maker:
    """A decaying tone of a random frequency."""

    def make(random: Generator, t: np.ndarray) -> np.ndarray:
        hertz = random.uniform(low, high) * random.uniform(1, 2.7, partials)[:, None]
        return np.asarray(np.sin(2 * np.pi * hertz * t).sum(0) * np.exp(-t / decay))

    return make


def crackle(low: float, high: float, decay: float) -> Maker:
    """A decaying burst of noise between two frequencies."""

    def make(random: Generator, t: np.ndarray) -> np.ndarray:
        return band(random.normal(size=len(t)), low, high) * np.exp(-t / decay)

    return make


def tone(hertz: np.ndarray | float, t: np.ndarray) -> np.ndarray:
    """A sine of constant or changing frequency."""
    return np.asarray(np.sin(2 * np.pi * np.cumsum(np.broadcast_to(hertz, t.shape)) / RATE))


def harmonics(base: np.ndarray | float, t: np.ndarray, weights: Weights) -> np.ndarray:
    """A harmonic tone; ``weights`` are those of the partials 1, 2, …"""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(base, t.shape)) / RATE
    return np.asarray(sum(w * np.sin(k * phase) for k, w in enumerate(weights, 1)))
