"""The table of a run's predictions, checked before anything is computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mgc.runs import PARTS, PREFIX
from mgc.runs.run_files import read_parquet

if TYPE_CHECKING:
    import pandas as pd

TYPES = {  # in Arrow's names
    "text": ("string", "large_string"),
    "whole numbers": ("int32", "int64"),
    "numbers": ("float", "double"),
}
OPTIONAL = ("artist", "title", "path")


def read_predictions(path: Path, genres: Sequence[str]) -> pd.DataFrame:
    """The rows. Raises OSError, and ValueError that names what no run has."""
    table = read_parquet(path)
    columns = dict.fromkeys(("track_id", "part", "genre", *OPTIONAL), "text")
    columns |= {"fold": "whole numbers"} | {PREFIX + genre: "numbers" for genre in genres}
    for name, kind in columns.items():
        there = name in table.column_names
        if not there and name not in OPTIONAL:
            raise ValueError(f"{path.name} lacks the column {name!r}")
        if there and str(table.schema.field(name).type) not in TYPES[kind]:
            raise ValueError(f"{path.name}: the column {name!r} has no {kind}")
    for name, known in (("genre", genres), ("part", PARTS)):
        if other := {*table[name].unique().to_pylist()} - {*known}:
            raise ValueError(f"{path.name} has the {name} {min(map(str, other))!r:.40}")
    rows: pd.DataFrame = table.to_pandas()
    return rows
