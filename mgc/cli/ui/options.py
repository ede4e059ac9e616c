"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

#: What never crosses from training to test; as in mgc.datasets.splits, which is slow to import.
GroupBy = Literal["artist", "album", "artist+album", "none"]
DatasetName = Annotated[str | None, typer.Argument(help="Default: see mgc data use.")]
DataName = Annotated[
    str | None, typer.Option("--data", metavar="NAME", help="Dataset (default: see mgc data use).")
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
    float | None, typer.Option(help="Length of a clip in seconds (default: 30).", min=0.25)
]
ClipsPerTrack = Annotated[
    int | None,
    typer.Option(help="Clips taken from a long track, spread evenly over it (default: 4).", min=1),
]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda or mps; auto uses the GPU if there is one.")
]
Workers = Annotated[
    int | None, typer.Option(help="Number of processes (default: one per core).", min=1)
]
Seed = Annotated[int, typer.Option(help="Seed of the training and, with --folds, of the folds.")]
IncludeBad = Annotated[
    bool,
    typer.Option("--include-bad", help="Also take tracks that mgc data check has quarantined."),
]
