"""Options that several commands share, so that they read the same everywhere; what is refused as
soon as the command line is read."""

from __future__ import annotations

import errno
import math
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mgc.errors import UsageError

MAX_SEED, MAX_SEEDS, MAX_PROCESSES = 2**31 - 1, 1000, 1000


def existing(given: Any) -> Any:
    """Refuse a path (or one of a list) that is neither a file nor a folder: reading a FIFO would
    wait forever."""
    for path in given if isinstance(given, list) else [given] if given is not None else []:
        named = re.sub(r"^(https?|ftp):/+", r"\1://", str(path))  # a Path keeps one slash
        if named != str(path) or "://" in named:
            raise UsageError(f"{named} is an address.", "Download it, and give the file.")
        try:
            mode = Path(path).expanduser().stat().st_mode
        except (OSError, ValueError) as error:
            if getattr(error, "errno", 0) in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                raise UsageError(f"{path!s:.200} does not exist.", "Check the path.") from error
            continue  # whoever reads it says why not
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UsageError(f"{path} is neither a file nor a folder.", "Copy it to a file.")
    return given


def writable(path: Path | None) -> Path | None:
    """Refuse an output that is there and is not a file."""
    if path is not None and path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise UsageError(f"{path} is {kind}.", "Name a file to write.")
    return path


def a_folder(path: Path | None) -> Path | None:
    """Refuse an output folder that is there and is none."""
    if path is not None and path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", "Name a folder.")
    return path


def finite(value: float | None) -> float | None:
    """Refuse NaN, which is within all bounds, and infinity."""
    if value is not None and not math.isfinite(value):
        raise UsageError(f"{value} is not a finite number.", "Give a number such as 2.5.")
    return value


def device_type(name: str | None) -> str | None:
    """Refuse a device that torch would not know, without importing torch."""
    if name is not None and not re.fullmatch(r"auto|(cpu|cuda|mps)(:\d+)?", name):
        raise UsageError(
            f"There is no device type {name!r}.", "Use auto, cpu, cuda, cuda:1 or mps."
        )
    return name


def one_name_each(option: str, given: Sequence[str], words: Sequence[str]) -> None:
    """Explain words that are left over after an option that takes one name: ``-e mel mfcc``."""
    if words:
        raise UsageError(
            f"{option} takes one name; {' '.join(words)} is left over.",
            f"Write: {' '.join(f'{option} {name}' for name in [*given, *words])}",
        )


def source_file(text: str) -> Any:
    """The option ``--from FILE``."""
    return typer.Option("--from", metavar="FILE", help=text, callback=existing)


def output_file(help: str, metavar: str | None = None) -> Any:
    """The option -o, which names a file to write."""
    return typer.Option("--output", "-o", metavar=metavar, help=help, callback=writable)


def refuse_unused(why: str, given: Mapping[str, object]) -> None:
    """Refuse the options (name → its value, if it was given) that have no effect here."""
    if names := [name for name, value in given.items() if value]:
        have = "has" if len(names) == 1 else "have"
        raise UsageError(f"{' and '.join(names)} {have} no effect {why}.", "Leave it out.")


#: What never crosses from training to test; as in mgc.datasets.splits, which is slow to import.
GroupBy = Literal["artist", "album", "artist+album", "none"]
DatasetName = Annotated[str | None, typer.Argument(help="Default: see mgc data use.")]
DataName = Annotated[
    str | None, typer.Option("--data", metavar="NAME", help="Dataset (default: see mgc data use).")
]
RunName = Annotated[
    str | None,
    typer.Option("--run", help="Run, or a label such as 'stacking' (default: see mgc compare, ●)."),
]
Folds = Annotated[
    int | None,
    typer.Option(
        help="Runs with this many folds; 0: a single split (default: as in the newest run).", min=0
    ),
]
Every = Annotated[
    bool, typer.Option("--all", help="Also take older runs of the same label and seed.")
]
Reference = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Test against this one (default: the best single)."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a parameter (repeatable); OWNER.NAME=VALUE if several have it.",
    ),
]
ClipSeconds = Annotated[
    float | None,
    typer.Option(help="Length of a clip in seconds (default: 30).", min=0.25, callback=finite),
]
ClipsPerTrack = Annotated[
    int | None,
    typer.Option(help="Clips taken from a long track, spread evenly over it (default: 4).", min=1),
]
Device = Annotated[
    str,
    typer.Option(
        help="auto, cpu, cuda or mps; auto uses the GPU if there is one.", callback=device_type
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(help="Number of processes (default: one per core).", min=1, max=MAX_PROCESSES),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        help="Train this many folds side by side, each in a process with one thread (default: one "
        "after the other, with all cores).",
        min=1,
        max=MAX_PROCESSES,
    ),
]
Seed = Annotated[
    int,
    typer.Option(help="Seed of the training and, with --folds, of the folds.", min=0, max=MAX_SEED),
]
IncludeBad = Annotated[
    bool,
    typer.Option("--include-bad", help="Also take tracks that mgc data check has quarantined."),
]
