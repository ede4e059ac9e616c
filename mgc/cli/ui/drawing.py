"""Figures in a terminal: sparklines, bars, shaded matrices and a map of letters.

All are plain text first; colour only adds to them, so that they read the same with ``NO_COLOR``,
in a pipe and in a log. If the output cannot be written in Unicode, ASCII is used instead.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "._-=+*%#"
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHADES, ASCII_SHADES = " ░▒▓█", " .:*#"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MIXED = "+"  # a place on the map that several genres share


def unicode_output() -> bool:
    """Whether block characters can be written to stdout."""
    try:
        (BLOCKS + SHADES + EIGHTHS).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(values: Sequence[float], width: int) -> str:
    """A sparkline of values in at most ``width`` characters; NaN is blank."""
    blocks = BLOCKS if unicode_output() else ASCII_BLOCKS
    thinned = _thinned(values, width)
    known = [value for value in thinned if isfinite(value)]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    return "".join(
        _step(blocks, (value - low) / span if span else 0.5) if isfinite(value) else " "
        for value in thinned
    )


def _step(characters: str, share: float) -> str:
    """The character that stands for ``share`` in [0, 1]."""
    return characters[min(int(share * len(characters)), len(characters) - 1)]


def _thinned(values: Sequence[float], width: int) -> list[float]:
    """The means of successive stretches of the values, one per place."""
    if len(values) <= width:
        return list(values)
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    parts = [values[a:b] for a, b in pairwise(edges)]
    return [sum(part) / len(part) for part in parts]


def bar(share: float, width: int) -> str:
    """A bar for ``share`` in [0, 1], with 1 as ``width`` characters."""
    share = min(max(share, 0.0), 1.0)
    if not unicode_output():
        return "#" * round(share * width)
    eighths = round(share * width * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + EIGHTHS[rest].strip()


def shade(share: float) -> str:
    """A character that is darker the larger ``share`` in [0, 1] is."""
    return _step(SHADES if unicode_output() else ASCII_SHADES, share)


def whisker(low: float, middle: float, high: float, width: int) -> str:
    """An interval in [0, 1] as a line with its middle marked, ``width`` characters."""
    line, dot = ("─", "●") if unicode_output() else ("-", "o")
    places = [min(int(value * width), width - 1) for value in (low, middle, high)]
    cells = [line if places[0] <= i <= places[2] else " " for i in range(width)]
    cells[places[1]] = dot
    return "".join(cells)


def letter_map(
    points: Sequence[tuple[float, float]], groups: Sequence[int], width: int, height: int
) -> list[str]:
    """Points in [-1, 1] × [-1, 1] as lines of letters, one letter per group. A place with points
    of several groups has the letter of the largest, or ``+`` if there is a tie."""
    cells: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for (x, y), group in zip(points, groups, strict=True):
        column = min(int((x + 1) / 2 * width), width - 1)
        row = min(int((1 - y) / 2 * height), height - 1)
        cells[row, column][group] += 1
    places = [[_letter(cells[row, column]) for column in range(width)] for row in range(height)]
    return ["".join(letters).rstrip() for letters in places]


def _letter(here: Counter[int]) -> str:
    if not here:
        return " "
    (group, most), *others = here.most_common(2)
    return MIXED if others and others[0][1] == most else LETTERS[group % len(LETTERS)]
