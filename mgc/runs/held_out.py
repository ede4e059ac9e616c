"""The rows of a run's predictions that were held out, read without pandas: its import takes longer
than everything that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mgc.runs import PREDICTIONS, PREFIX, Run, damaged
from mgc.runs.run_files import read_parquet


class HeldOutRows(NamedTuple):
    """Rows of one part of the predictions, in the order of the file.

    ``shares`` (row, genre) are the probabilities, ``genres`` (row,) the numbers of the true genres,
    ``groups`` (row,) the groups (artists); without groups each track is its own. ``folds`` (row,)
    are the folds whose models answered.
    """

    tracks: Sequence[str]
    shares: np.ndarray
    genres: np.ndarray
    groups: np.ndarray
    folds: np.ndarray


def held_out(run: Run, part: str) -> HeldOutRows:
    """The rows of a part. Raises MgcError if the predictions are missing or damaged.

    pyarrow's filters, ``take`` and ``to_numpy`` import pandas, so none of them is used.
    """
    run.check(PREDICTIONS)
    wanted = [PREFIX + genre for genre in run.genres]
    numbers = {genre: number for number, genre in enumerate(run.genres)}
    try:
        columns = [*wanted, "track_id", "genre", "part", "group", "fold"]
        table = read_parquet(run.folder / PREDICTIONS, columns)
        group = "group" if "group" in table.column_names else "track_id"
        shares = np.array([np.from_dlpack(table[name].combine_chunks()) for name in wanted])
        tracks, genres, parts, groups, folds = (
            table[name].to_pylist() for name in ("track_id", "genre", "part", group, "fold")
        )
        truth = np.array([numbers[genre] for genre in genres], np.int64)
        owners = np.unique(np.array(groups), return_inverse=True)[1]
    except (OSError, ValueError, KeyError, BufferError, TypeError) as error:
        raise damaged(run.folder, error) from error
    here = np.flatnonzero([where == part for where in parts])
    names = [tracks[row] for row in here]
    return HeldOutRows(
        names, shares.T[here], truth[here], owners[here], np.array(folds, np.int64)[here]
    )
