"""Odd command lines, mutated sounds and damaged homes, drawn at random."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from benchmarks.odd_caller import RUN
from mgc.cli.app import build

NUMBERS = ("", "NaN", "-3", "1e20", "0", "inf", "30000000", "0x10", "½")
TEXTS = ("nope", "\x1b[31mred\x07", "a\nb", "\udcff.mp3", "a" * 5_000, "=1+1", "../no", "~nope")
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF"}
LEFT_OUT = {("demo",), ("experiment", "run")}  # they take minutes if nothing is wrong


def _leaves(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from _leaves(one, (*names, name))
    elif names not in LEFT_OUT:
        yield names, command


def odd_line(draw: random.Random, folder: Path) -> list[str]:
    """A command with up to three of its options, and arguments that are mostly odd."""
    names, command = draw.choice(list(_leaves(typer.main.get_command(build()))))
    paths = ("fifo", "empty", "/dev/zero", ".", str(folder / "sound.wav"))
    odd = (*NUMBERS, *TEXTS, *paths, "small", RUN)
    words = list(names)
    options = [one for one in command.params if one.param_type_name == "option"]
    for option in draw.sample(options, min(len(options), draw.randrange(4))):
        words.append(draw.choice(option.opts))
        if not option.is_flag:
            words.append(draw.choice((*odd, "/")))  # as an argument: all music of the machine
    arguments = len(command.params) - len(options)
    return words + [draw.choice(odd) for _ in range(arguments) if draw.random() < 0.8]


def mutated(draw: random.Random, folder: Path) -> Path:
    """A sound with bytes flipped, cut off, repeated, or taken from another format."""
    suffix = draw.choice(list(FORMATS))
    data = bytearray((folder / f"sound{suffix}").read_bytes())
    at = draw.randrange(len(data)) if draw.random() < 0.5 else draw.randrange(128)
    other = (folder / f"sound{draw.choice(list(FORMATS))}").read_bytes()
    change = draw.randrange(4)
    if change == 0:
        for _ in range(draw.randrange(1, 16)):
            data[min(len(data) - 1, at + draw.randrange(64))] ^= 1 << draw.randrange(8)
    elif change == 1:
        del data[at:]
    elif change == 2:
        data[at:at] = data[at : at + draw.randrange(1, 4_096)]
    else:
        data[at:] = other[draw.randrange(len(other)) :]
    target = folder / "mutated" / "metal" / f"odd{suffix}"
    shutil.rmtree(folder / "mutated", ignore_errors=True)
    target.parent.mkdir(parents=True)
    target.write_bytes(data)
    copy = folder / f"odd{suffix}"
    copy.write_bytes(data)
    return copy


def damage(draw: random.Random, home: Path) -> str:
    """Damage a file of a home; returns what was done."""
    path = draw.choice(sorted(one for one in home.rglob("*") if one.is_file()))
    change = draw.choice(
        ["flipped", "truncated", "removed", "a folder", "a link", "a pipe", "edited"]
    )
    data = bytearray(path.read_bytes())
    at = draw.randrange(len(data)) if data else 0
    if change == "flipped" and data:
        data[at] ^= 1 << draw.randrange(8)
    elif change == "edited":
        digits = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
        for place in draw.sample(digits, min(2, len(digits))):
            data[place] = ord(draw.choice("0123456789"))
    elif change == "truncated":
        del data[at:]
    path.unlink()
    if change == "a folder":
        path.mkdir()
    elif change == "a link":
        path.symlink_to("/dev/zero")
    elif change == "a pipe":
        os.mkfifo(path)
    elif change != "removed":
        path.write_bytes(data)
    return f"{path.relative_to(home)}: {change} at {at}"
