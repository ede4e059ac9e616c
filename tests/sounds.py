"""Synthesised audio for tests: seeded, short, with something in every mel band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

#: suffix → (soundfile format, subtype, largest error against the source)
FORMATS = {
    ".wav": ("WAV", "PCM_16", 1e-4),
    ".flac": ("FLAC", "PCM_16", 1e-4),
    ".aiff": ("AIFF", "PCM_16", 1e-4),
    ".au": ("AU", "PCM_16", 1e-4),
    ".ogg": ("OGG", "VORBIS", 0.2),
    ".opus": ("OGG", "OPUS", 0.35),
    ".mp3": ("MP3", "MPEG_LAYER_III", 0.2),
}


def music(seconds: float, rate: int = 22_050, seed: int = 0, channels: int = 1) -> np.ndarray:
    """A detuned chord with a beat and some noise, (sample,) or (sample, channel) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tune = 2.0 ** rng.uniform(-0.03, 0.03)
    parts = [
        np.sin(
            2 * np.pi * 440 * tune * 2 ** (rng.integers(-18, 18) / 12) * time + rng.uniform(0, 6)
        )
        for _ in range(4)
    ]
    beat = np.exp(-8 * np.mod(time, rng.uniform(0.3, 0.6)))
    wave = 0.12 * np.sum(parts, axis=0) + 0.15 * beat * rng.standard_normal(len(time))
    wave = np.clip(wave, -0.98, 0.98).astype(np.float32)
    if channels == 1:
        return wave
    gains = np.linspace(1.0, 0.4, channels, dtype=np.float32)
    return wave[:, None] * gains


def write(path: Path, wave: np.ndarray, rate: int = 22_050) -> Path:
    """Write a file in the format of its suffix."""
    kind, subtype, _ = FORMATS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, format=kind, subtype=subtype)
    return path


def album(folder: Path, count: int, seconds: float = 1.0, suffix: str = ".wav") -> list[Path]:
    """So many different short files, in order."""
    return [
        write(folder / f"{number:04}{suffix}", music(seconds, seed=number))
        for number in range(count)
    ]
