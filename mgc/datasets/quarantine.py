"""Tracks that are left out of everything, and why: one list, one policy, counts in every result.

``quarantine.csv`` in the dataset's folder has one row per track: track_id, fault, detail, and the
revision of the rule of hearing by which a check judged it. Checks write it, with a checksum of
each of their rows; people may add rows of their own, which a check keeps.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from pathlib import Path

import pandas as pd

from mgc.audio.sound_length import HEARING_REVISION
from mgc.datasets.table import Dataset, changing
from mgc.errors import MgcError, counted
from mgc.home import CHANGED, OWN, bytes_of, checksum, replace_file

COLUMNS = ["track_id", "fault", "detail"]
HEARING = "hearing"  # the revision; "" in rows of people and of the first version


def quarantine_file(dataset: Dataset) -> Path:
    """The path of the list."""
    return dataset.folder / "quarantine.csv"


def quarantined(dataset: Dataset) -> pd.DataFrame:
    """The list: `COLUMNS` and `HEARING`. Raises MgcError if it is damaged."""
    path = quarantine_file(dataset)
    if not path.exists():
        return pd.DataFrame(columns=[*COLUMNS, HEARING], dtype=str)
    try:
        rows = pd.read_csv(BytesIO(bytes_of(path)), dtype=str, keep_default_na=False)
        found = rows[COLUMNS].assign(**{HEARING: rows.get(HEARING, "")}).fillna("")
    except (OSError, ValueError, KeyError) as error:
        raise MgcError(
            f"{path} cannot be read: {error}.",
            f"Fix it, or delete it and run: mgc data check {dataset.name}",
        ) from error
    if OWN in rows and len(odd := found[rows[OWN].fillna("") != _checksums(found)]):
        raise MgcError(
            f"{path} is damaged: the row of {odd['track_id'].iloc[0]!r} {CHANGED}.",
            f"Delete the file and run: mgc data check {dataset.name}; or, if you changed the row, "
            "empty its last two columns.",
        )
    return found


def quarantined_tracks(dataset: Dataset) -> pd.DataFrame:
    """The rows of the list that are about tracks of the table."""
    bad = quarantined(dataset)
    return bad[bad["track_id"].isin(dataset.tracks["track_id"])] if len(bad) else bad


def _checksums(rows: pd.DataFrame) -> list[str]:
    """Of each row; "" for rows that people wrote."""
    values = rows[[*COLUMNS, HEARING]].itertuples(index=False, name=None)
    return [checksum(repr(row).encode()) if row[-1] else "" for row in values]


def quarantine(dataset: Dataset, rows: pd.DataFrame, faults: Collection[str]) -> None:
    """Rewrite the list: ``rows`` replace all existing rows with these ``faults``."""
    new = rows[COLUMNS].assign(**{HEARING: str(HEARING_REVISION)})
    with changing(dataset.name):
        old = quarantined(dataset)
        kept = old[~old["fault"].isin(list(faults))]
        both = pd.concat([kept, new]).drop_duplicates("track_id", keep="last")
        both = both.assign(**{OWN: _checksums(both)}).sort_values("track_id")
        replace_file(quarantine_file(dataset), both.to_csv(index=False).encode())


def usable(dataset: Dataset, include_bad: bool = False) -> tuple[pd.DataFrame, dict[str, int]]:
    """The tracks to work with, and how many were left out per fault.

    Args:
        dataset: any dataset, checked or not.
        include_bad: include the quarantined tracks (``--include-bad``).

    Returns:
        Rows of ``dataset.tracks`` with the index 0, 1, …, and {fault: tracks}.

    Raises:
        MgcError: every track is quarantined, or the list is damaged.
    """
    bad = quarantined_tracks(dataset).drop_duplicates("track_id")
    if include_bad or not len(bad):
        return dataset.tracks.reset_index(drop=True), {}
    kept = dataset.tracks[~dataset.tracks["track_id"].isin(bad["track_id"])]
    if not len(kept):
        raise MgcError(
            f"All {counted(len(dataset.tracks), 'track')} of {dataset.name!r} are quarantined.",
            f"See why: mgc data check {dataset.name}; or use them anyway: --include-bad",
        )
    counts = bad["fault"].value_counts()
    return kept.reset_index(drop=True), {str(fault): int(n) for fault, n in counts.items()}
