"""Sounds of two genres, and files that a server may be sent."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050


def sound(genre: str, seed: int, seconds: float = 3.0) -> np.ndarray:
    """ "calm" is a chord, "harsh" is noise in bursts: float32 (sample,)."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    if genre == "calm":
        wave = sum(np.sin(2 * np.pi * rng.uniform(200, 900) * time) for _ in range(4)) / 8
    else:
        wave = rng.normal(0, 0.2, len(time)) * (np.sin(2 * np.pi * 4 * time) > 0)
    return (wave + rng.normal(0, 1e-3, len(time))).astype(np.float32)


def audio(form: str = "WAV", genre: str = "calm", seed: int = 99, seconds: float = 3.0) -> bytes:
    """A sound as a file of a format."""
    made = io.BytesIO()
    soundfile.write(made, sound(genre, seed, seconds), RATE, format=form)
    return made.getvalue()


def write(path: Path, genre: str, seed: int) -> Path:
    """A sound as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio(path.suffix[1:].upper(), genre, seed))
    return path


def zipped() -> bytes:
    """A zip with a song in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../song.wav", audio())
    return made.getvalue()


def video() -> bytes:
    """An MP4 file with pictures only."""
    box = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
    return box + b"\x00\x00\x00\x08moov" + b"\x00\x00\x10\x00mdat" + bytes(4_088)


def flac_of(hours: float) -> bytes:
    """Three seconds whose header claims hours."""
    made = bytearray(audio("FLAC"))
    samples = int(hours * 3600 * RATE)
    made[21] = (made[21] & 0xF0) | (samples >> 32 & 0x0F)
    made[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(made)


def wav_of(hours: float, rate: int = 8_000) -> bytes:
    """A WAV file that claims hours and ends early."""
    made = io.BytesIO()
    soundfile.write(made, np.zeros(rate, np.int16), rate, format="WAV", subtype="PCM_16")
    content = bytearray(made.getvalue())
    content[40:44] = (int(hours * 3600 * rate) * 2 & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(content)
