"""``python -m benchmarks.odd_calls``: odd command lines, mutated sounds, damaged homes.

Every call is made in a process of its own kind, one for many calls, which is started again if it
crashes or hangs. Counted are tracebacks, hangs, exit codes other than 0, 1 and 2, and silent
changes: a damaged home that gives another output without a word. Each is printed as the command
that shows it. Every call depends on the seed and its number only: ``--only NUMBER`` repeats it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import soundfile

from benchmarks.odd_caller import LIMIT, RUN, Caller
from benchmarks.odd_requests import FORMATS, damage, mutated, odd_line
from mgc.datasets.synthesis.compose import synthesise

KINDS = ("command lines", "sounds", "homes")
FAULTS = ("traceback", "hang", "crash", "exit code", "silent change")


def main() -> None:
    """Make the calls that were asked for, and print what they showed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.odd_calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="the numbers of calls to repeat")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds until a call hangs")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgc-odd-") as folder:
        report = made(Path(folder), asked.calls, asked.seed, asked.only, asked.limit)
    if asked.json:
        print(json.dumps(report))
        return
    for fault in report["faults"]:
        print(f"{fault['number']}: {fault['fault']}: {fault['command']}\n    {fault['said']}")
    print(f"{'':15}{'calls':>8}" + "".join(f"{name:>15}" for name in FAULTS))
    for kind, counts in report["counts"].items():
        print(f"{kind:15}{counts['calls']:>8}" + "".join(f"{counts[n]:>15}" for n in FAULTS))


def made(
    folder: Path, calls: int, seed: int, only: list[int] | None = None, limit: float = LIMIT
) -> dict[str, Any]:
    """Make calls in turns of the kinds: how many there were, and the faults they showed."""
    caller = Caller(folder, limit)
    try:
        prepare(folder, caller)
        counts = {kind: Counter(calls=0, **dict.fromkeys(FAULTS, 0)) for kind in KINDS}
        faults = []
        for number in only or range(calls):
            kind = KINDS[number % len(KINDS)]
            draw = random.Random(f"{seed} {number}")
            fault, words, how, said = _tried(kind, draw, folder, caller)
            counts[kind]["calls"] += 1
            if fault:
                counts[kind][fault] += 1
                command = f"{shlex.join(['mgc', *words])[:300]}{how}"
                faults.append({"number": number, "fault": fault, "command": command, "said": said})
    finally:
        caller.close()
    return {"seed": seed, "counts": counts, "faults": faults}


def prepare(folder: Path, caller: Caller) -> None:
    """Make music, a home with a dataset, features and a run, and odd files beside them."""
    for genre in ("ambient", "metal"):
        for artist in range(6):
            path = folder / "music" / genre / f"artist-{artist}" / "0.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, synthesise(genre, artist, 0, seconds=3.0), 22_050)
    for suffix, kind in FORMATS.items():
        wave = synthesise("metal", 9, 0, seconds=3.0)
        soundfile.write(folder / f"sound{suffix}", wave, 22_050, format=kind)
    os.mkfifo(folder / "fifo")
    (folder / "empty").touch()
    for words in (
        ["data", "add", "small", "music"],
        ["fit", "-e", "mfcc", "--head", "logistic", "--data", "small"],
    ):
        answer = caller.call(words)
        if answer.code:
            raise SystemExit(f"{shlex.join(words)}: {answer.code} {answer.err}")
    [caller.run] = [one.name for one in (folder / "home" / "runs").iterdir() if one.is_dir()]
    (folder / "home").rename(folder / "whole")


def _tried(
    kind: str, draw: random.Random, folder: Path, caller: Caller
) -> tuple[str, list[str], str, str]:
    """One call: the fault ("" if none), the command, what was done before, and the last words."""
    _renew(folder)
    how = ""
    if kind == "command lines":
        words = odd_line(draw, folder)
        answer = caller.call(words)
    elif kind == "sounds":
        path = mutated(draw, folder)
        how = f"   # {path.name} mutated"
        words = draw.choice([["predict", path.name, "--json"], ["data", "add", "new", "mutated"]])
        answer = caller.call(words)
    else:
        words = draw.choice(READING)
        usual = caller.call(words)
        how = f"   # {damage(draw, folder / 'home')}"
        answer = caller.call(words)
        same = (usual.code, usual.out, usual.err) == answer
        if not answer.fault and not answer.code and not same and usual.err == answer.err:
            return "silent change", words, how, _first_difference(usual.out, answer.out)
    return answer.fault, words, how, (answer.err or str(answer.code)).strip()[-300:]


#: What reads a home and answers the same each time.
READING = [
    ["runs", "list", "--json"],
    ["runs", "show", RUN, "--json"],
    ["data", "show", "small", "--json"],
    ["data", "list", "--json"],
    ["features", "list", "--json"],
    ["compare", RUN, "--json"],
    ["predict", "sound.wav", "--json"],
    ["predict", "sound.wav", "--run", RUN, "--csv"],
    ["fit", "--resume", RUN],
    ["runs", "verify", "--json"],
    ["data", "split", "small", "--list"],
    ["data", "audit", "small", "--json"],
    ["data", "export", "small", "out.csv", "--force"],
    ["plot", "confusion", RUN],
]


def _renew(folder: Path) -> None:
    shutil.rmtree(folder / "home", ignore_errors=True)
    shutil.copytree(folder / "whole", folder / "home")


def _first_difference(one: str, other: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[max(0, at - 40) : at + 60]!r} became {other[max(0, at - 40) : at + 60]!r}"


if __name__ == "__main__":
    main()
