"""Differences are small, and give every byte back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from mgc_library import tags
from mgc_library.delta import difference, restored
from mutagen import id3

from . import library


def edited(content: bytes, rng: random.Random, edits: int) -> bytes:
    """With bytes put in, taken out and changed at random places."""
    made = bytearray(content)
    for _ in range(edits):
        place, length = rng.randrange(len(made) + 1), rng.randrange(200)
        made[place : place + rng.choice((0, length))] = rng.randbytes(rng.choice((0, length)))
    return bytes(made)


@pytest.mark.parametrize("seed", range(30))
def test_random_edits(seed: int) -> None:
    rng = random.Random(seed)
    before = rng.randbytes(rng.choice((0, 1, 31, 32, 5_000, 300_000)))
    after = edited(before, rng, edits=seed % 10)
    kept = difference(before, after)
    assert restored(kept, after) == before
    assert len(kept) < 200 + 500 * (seed % 10)


def test_nothing_in_common() -> None:
    rng = random.Random(0)
    before, after = rng.randbytes(100_000), rng.randbytes(100_000)
    assert restored(difference(before, after), after) == before
    assert restored(difference(before, b""), b"") == before
    assert restored(difference(b"", after), after) == b""
    with pytest.raises(ValueError, match=r"."):
        restored(b"damaged", after)


def test_a_moved_sound_and_picture(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.mp3", random.Random(0)
    path.write_bytes(b"\xff\xfb\x90\x00" + rng.randbytes(3 << 20))
    frames = id3.ID3()
    frames.add(id3.APIC(mime="image/png", type=3, data=rng.randbytes(1 << 20)))
    frames.save(path, padding=lambda _: 0)
    before = path.read_bytes()
    frames.add(id3.TCON(text="Jazz"))
    frames.save(path)
    assert len(difference(before, path.read_bytes())) < 1_000


@pytest.mark.parametrize("kind", ["a.ogg", "a.opus"])
def test_pages_with_other_numbers(tmp_path: Path, kind: str) -> None:
    path = library.write(tmp_path / kind, library.sound("harsh", 1, 60.0))
    before = path.read_bytes()
    tags.write(path, ["x" * 70_000])  # takes more pages
    assert restored(kept := difference(before, path.read_bytes()), path.read_bytes()) == before
    assert len(kept) < len(before) / 20
