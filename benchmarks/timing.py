"""Timing that stands noise: the cases take turns, and ratios are taken within a turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of a table: a figure, its spread, and how it stands to another line.

    ``ratio`` is this line's time over that of ``against`` (or that speed over this one).
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    against: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One table, with what was measured in words."""

    title: str
    text: str
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Times:
    """Seconds of each turn of one case: on the clock, and of the processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def in_turns(cases: Mapping[str, Callable[[int], object]], turns: int) -> dict[str, Times]:
    """Measure every case once a turn, from another one on each time; each gets the turn's number.

    A case runs twice and the second time counts: the first brings back what the case before has
    driven out of caches and heap, and would be charged for it.
    """
    times = {name: Times() for name in cases}
    names = list(cases)
    for turn in range(turns):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            cases[name](turn)
            clock, processor = time.perf_counter(), time.process_time()
            cases[name](turn)
            times[name].clock.append(time.perf_counter() - clock)
            times[name].processor.append(time.process_time() - processor)
    return times


def row(
    times: Mapping[str, Times], name: str, against: str, *, scale: float, unit: str, note: str = ""
) -> Row:
    """The median of a case, its quartiles, and the median ratio to another within turns.

    The ratio is one of processor time, which other processes on the machine disturb least.
    """
    mine = times[name]
    ordered = sorted(value * scale for value in mine.clock)
    quarter = len(ordered) // 4
    pairs = zip(mine.processor, times[against].processor, strict=True)
    ratio = median(one / other for one, other in pairs)
    return Row(
        name,
        median(ordered),
        unit,
        low=ordered[quarter],
        high=ordered[-1 - quarter],
        ratio=ratio,
        against=against,
        note=note,
    )
