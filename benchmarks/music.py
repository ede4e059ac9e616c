"""Music to measure on: 44.1 kHz stereo mp3s, synthesised, or the files of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 44_100
SECONDS = 30.0
#: Suffix → container, codec and rate in Hz (Opus has no 44.1 kHz).
KINDS = {
    ".flac": ("FLAC", "PCM_16", RATE),
    ".wav": ("WAV", "PCM_16", RATE),
    ".ogg": ("OGG", "VORBIS", RATE),
    ".opus": ("OGG", "OPUS", 48_000),
}


def synthesised(folder: Path, count: int) -> list[Path]:
    """So many mp3s of 30 s at the highest quality (about 250 kbit/s), all different."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:04}.mp3"
        soundfile.write(
            path, _song(number), RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.0
        )
        paths.append(path)
    return paths


def _song(seed: int) -> np.ndarray:
    """Chords, a bass, drums and a stereo pad with noise: (sample, 2) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(SECONDS * RATE)) / RATE
    beat = rng.uniform(0.35, 0.6)
    root = 110.0 * 2 ** (rng.integers(0, 12) / 12)
    bars = np.floor(time / (4 * beat)).astype(int) % 4
    chords = 2 ** (np.array([0, 5, 7, 3])[bars] / 12)
    phase = 2 * np.pi * np.cumsum(root * chords) / RATE
    tones = sum(np.sin(k * n * phase) / n for k in (1, 1.26, 1.5) for n in range(1, 9))
    kick = np.exp(-18 * np.mod(time, beat)) * np.sin(2 * np.pi * 55 * np.mod(time, beat))
    hat = np.exp(-40 * np.mod(time + beat / 2, beat)) * rng.standard_normal(len(time))
    noise = 0.02 * rng.standard_normal((len(time), 2))
    left = 0.08 * tones + 0.5 * kick + 0.08 * hat
    right = 0.08 * np.roll(tones, 441) + 0.5 * kick + 0.06 * hat
    return np.clip(np.stack([left, right], axis=1) + noise, -1, 1).astype(np.float32)


def converted(mp3: Path, target: Path) -> Path:
    """The music of an mp3 of `RATE` Hz in the format of the target's suffix."""
    wave, rate = soundfile.read(mp3, dtype="float32", always_2d=True)
    container, codec, wanted = KINDS[target.suffix]
    wave = np.clip(soxr.resample(wave, rate, wanted), -1, 1)
    with soundfile.SoundFile(target, "w", wanted, wave.shape[1], codec, format=container) as file:
        for start in range(0, len(wave), wanted):  # libvorbis overflows on long blocks
            file.write(wave[start : start + wanted])
    return target


def found(folder: Path, count: int) -> list[Path]:
    """The first 44.1 kHz stereo mp3s below a folder."""
    paths = []
    for path in sorted(folder.rglob("*.mp3")):
        facts = soundfile.info(path)
        if (facts.samplerate, facts.channels) == (RATE, 2) and facts.frames > 20 * RATE:
            paths.append(path)
        if len(paths) == count:
            break
    if not paths:
        raise SystemExit(f"{folder} holds no 44.1 kHz stereo mp3 of 20 s or more.")
    return paths


def multiplied(paths: list[Path], folder: Path, count: int) -> list[Path]:
    """``count`` files with different content: copies with some zero bytes at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        original = paths[number % len(paths)]
        copy = folder / f"{number:05}.mp3"
        copy.write_bytes(original.read_bytes() + bytes(1 + number // len(paths)))
        made.append(copy)
    return made
