"""Follows a page of the documentation word for word: writes its files, runs its commands."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A file to write, or a command to run."""

    file: str = ""
    text: str = ""
    command: str = ""


def steps(page: Path) -> Iterator[Step]:
    """What a reader does, in the order of the page."""
    for kind, file, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if file:
            yield Step(file=file, text=text)
        elif kind == "console":
            for line in text.splitlines():
                if line.startswith("$ "):
                    yield Step(command=line.removeprefix("$ "))


def follow(page: Path, folder: Path, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Do what the page says in ``folder``; return each command with its output.

    Raises AssertionError with the output of the command that failed.
    """
    done = []
    for step in steps(page):
        if step.file:
            path = folder / step.file
            assert path.exists(), f"the page replaces {step.file}, which is not there"
            path.write_text(step.text, encoding="utf-8")
            continue
        begun = time.perf_counter()
        ran = subprocess.run(
            step.command,
            shell=True,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert ran.returncode == 0, f"{step.command}\n{ran.stdout}\n{ran.stderr}"
        print(f"{time.perf_counter() - begun:6.1f} s  {step.command}", file=sys.stderr)
        done.append((step.command, ran.stdout))
    return done


if __name__ == "__main__":
    import os

    follow(Path(sys.argv[1]), Path(sys.argv[2]), os.environ)
