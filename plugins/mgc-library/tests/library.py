"""A small music library in every kind of file and tag, and a run that knows its two genres."""

from __future__ import annotations

import hashlib
from pathlib import Path

import mutagen
import numpy as np
import soundfile
from mutagen import apev2, id3

RATE = 22_050
KINDS = ("bare.mp3", "v1.mp3", "v22.mp3", "v23.mp3", "v24.mp3", "ape.mp3", "all.mp3")
KINDS += ("a.flac", "a.ogg", "a.opus", "a.wav", "a.aiff", "a.m4a")
TITLE = b"\0a title"  # in Latin-1, as ID3 writes it


def sound(genre: str, seed: int, seconds: float = 3.0) -> np.ndarray:
    """ "calm" is a chord, "harsh" is noise in bursts: float32 (sample,)."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    if genre == "calm":
        wave = sum(np.sin(2 * np.pi * rng.uniform(200, 900) * time) for _ in range(4)) / 8
    else:
        wave = rng.normal(0, 0.2, len(time)) * (np.sin(2 * np.pi * 4 * time) > 0)
    return (wave + rng.normal(0, 1e-3, len(time))).astype(np.float32)


def write(path: Path, wave: np.ndarray) -> Path:
    """Write a sound in the format of the file's suffix, tagged as its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".m4a":
        _write_m4a(path, wave)
    elif path.suffix == ".opus":
        soundfile.write(path, np.repeat(wave, 2), 48_000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, wave, RATE)
    _tag(path, path.stem.split("-")[-1])
    return path


def _tag(path: Path, kind: str) -> None:
    """Tag an mp3 as its name says; "all" is ID3v1, ID3v2.2 and APE."""
    if kind in ("ape", "all"):
        tags = apev2.APEv2()
        tags["Title"] = "a title"
        tags.save(path)
    if kind in ("v1", "v23", "v24", "all"):
        frames = id3.ID3()
        frames.add(id3.TIT2(text="a title"))
        v1 = 2 if kind in ("v1", "all") else 0
        frames.save(path, v1=v1, v2_version=3 if kind == "v23" else 4)
        if v1:
            id3.delete(path, delete_v1=False)
    if kind in ("v22", "all"):  # mutagen reads, but does not write, these
        frame = b"TT2" + len(TITLE).to_bytes(3) + TITLE
        path.write_bytes(b"ID3\x02\0\0" + len(frame).to_bytes(4) + frame + path.read_bytes())


def _write_m4a(path: Path, wave: np.ndarray) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(wave), 1_024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1_024], "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def make(folder: Path, copies: int = 1) -> list[Path]:
    """Every kind of file in both genres."""
    return [
        write(folder / genre / f"{number}-{kind}", sound(genre, 100 + number))
        for number in range(copies)
        for genre in ("calm", "harsh")
        for kind in KINDS
    ]


def digests(paths: list[Path]) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def set_album(path: Path, album: str) -> None:
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    file["album"] = album
    file.save()
