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
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import soundfile
import typer

from mgc.cli.app import build
from mgc.datasets.synthesis.compose import synthesise

WORKER = """
import contextlib, io, json, os, sys
answers, calls = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
null = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2): os.dup2(null, number)
from mgc.cli.app import main
for line in calls:
    sys.argv, code = ["mgc", *json.loads(line)], 0
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", how, write_through=True)
                for how in ("strict", "backslashreplace"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException as error:
            code = f"Traceback: {type(error).__name__}: {error}"
    texts = [one.buffer.getvalue().decode("utf-8", "replace") for one in (out, err)]
    print(json.dumps([code, *texts]), file=answers, flush=True)
"""
LIMIT = 60  # seconds for a call; the longest usual one takes five
KINDS = ("command lines", "sounds", "homes")
FAULTS = ("traceback", "hang", "crash", "exit code", "silent change")
NUMBERS = ("", "NaN", "-3", "1e20", "0", "inf", "30000000", "0x10", "½")
TEXTS = ("nope", "\x1b[31mred\x07", "a\nb", "\udcff.mp3", "a" * 5_000, "=1+1", "../..", "~nope")
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF"}
RUN = "{run}"  # its name has its time
LEFT_OUT = {("demo",), ("experiment", "run")}  # they take minutes if nothing is wrong


class Answer(NamedTuple):
    """What a call left: the exit code (or what broke it), stdout and stderr."""

    code: int | str
    out: str = ""
    err: str = ""

    @property
    def fault(self) -> str:
        """Which of `FAULTS` it shows; "" if none."""
        if self.code in ("hang", "crash"):
            return str(self.code)
        if "mgc itself failed" in self.err or "Traceback" in f"{self.code}{self.err}":
            return "traceback"
        return "" if self.code in (0, 1, 2) else "exit code"


class Caller:
    """Makes calls in a worker process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.worker = folder, self._started(folder)
        self.run = ""

    def _started(self, folder: Path) -> subprocess.Popen[bytes]:
        own = os.environ | {
            "MGC_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=pipe,
            stdout=pipe,
            bufsize=0,
            cwd=folder,
            env=own,
        )

    def call(self, words: list[str]) -> Answer:
        """What ``mgc WORDS`` answers."""
        worker = self.worker
        if worker.stdin is None or worker.stdout is None:
            raise ValueError("the process has no pipes")
        words = [self.run if word == RUN else word for word in words]
        with suppress(BrokenPipeError):  # it has crashed
            worker.stdin.write(json.dumps(words).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([worker.stdout], [], [], LIMIT)[0]:
                return self._again("hang")
            if not (more := os.read(worker.stdout.fileno(), 1 << 20)):
                return self._again("crash")
            answer += more
        return Answer(*json.loads(answer))

    def _again(self, code: str) -> Answer:
        self.close()
        self.worker = self._started(self.folder)
        return Answer(code)

    def close(self) -> None:
        """End the worker and what it has started."""
        started: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.worker.pid).children(recursive=True)
        self.worker.kill()
        self.worker.communicate()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def main() -> None:
    """Make the calls that were asked for, and print what they showed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.odd_calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="the numbers of calls to repeat")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgc-odd-") as folder:
        report = made(Path(folder), asked.calls, asked.seed, asked.only)
    if asked.json:
        print(json.dumps(report))
        return
    for fault in report["faults"]:
        print(f"{fault['number']}: {fault['fault']}: {fault['command']}\n    {fault['said']}")
    print(f"{'':15}{'calls':>8}" + "".join(f"{name:>15}" for name in FAULTS))
    for kind, counts in report["counts"].items():
        print(f"{kind:15}{counts['calls']:>8}" + "".join(f"{counts[n]:>15}" for n in FAULTS))


def made(folder: Path, calls: int, seed: int, only: list[int] | None = None) -> dict[str, Any]:
    """Make calls in turns of the kinds: how many there were, and the faults they showed."""
    caller = Caller(folder)
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
            raise SystemExit(f"{shlex.join(words)}: {answer.err}")
    [caller.run] = [one.name for one in (folder / "home" / "runs").iterdir() if one.is_dir()]
    (folder / "home").rename(folder / "whole")


def _tried(
    kind: str, draw: random.Random, folder: Path, caller: Caller
) -> tuple[str, list[str], str, str]:
    """One call: the fault ("" if none), the command, what was done before, and the last words."""
    _renew(folder)
    how = ""
    if kind == "command lines":
        words = _odd_line(draw, folder)
        answer = caller.call(words)
    elif kind == "sounds":
        path = _mutated(draw, folder)
        how = f"   # {path.name} mutated"
        words = draw.choice([["predict", path.name, "--json"], ["data", "add", "new", "mutated"]])
        answer = caller.call(words)
    else:
        words = draw.choice(READING)
        usual = caller.call(words)
        how = f"   # {_damage(draw, folder / 'home')}"
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
]


def _renew(folder: Path) -> None:
    shutil.rmtree(folder / "home", ignore_errors=True)
    shutil.copytree(folder / "whole", folder / "home")


def _leaves(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from _leaves(one, (*names, name))
    elif names not in LEFT_OUT:
        yield names, command


def _odd_line(draw: random.Random, folder: Path) -> list[str]:
    """A command with up to three of its options, and arguments that are mostly odd."""
    names, command = draw.choice(list(_leaves(typer.main.get_command(build()))))
    paths = ("fifo", "empty", "/dev/zero", ".", "/", str(folder / "sound.wav"))
    odd = (*NUMBERS, *TEXTS, *paths, "small", RUN)
    words = list(names)
    options = [one for one in command.params if one.param_type_name == "option"]
    for option in draw.sample(options, min(len(options), draw.randrange(4))):
        words.append(draw.choice(option.opts))
        if not option.is_flag:
            words.append(draw.choice(odd))
    arguments = len(command.params) - len(options)
    return words + [draw.choice(odd) for _ in range(arguments) if draw.random() < 0.8]


def _mutated(draw: random.Random, folder: Path) -> Path:
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


def _damage(draw: random.Random, home: Path) -> str:
    """Damage a file of a home; returns what was done."""
    path = draw.choice(sorted(one for one in home.rglob("*") if one.is_file()))
    change = draw.choice(["flipped", "truncated", "removed", "a folder", "a link", "edited"])
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
    elif change != "removed":
        path.write_bytes(data)
    return f"{path.relative_to(home)}: {change} at {at}"


def _first_difference(one: str, other: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[max(0, at - 40) : at + 60]!r} became {other[max(0, at - 40) : at + 60]!r}"


if __name__ == "__main__":
    main()
