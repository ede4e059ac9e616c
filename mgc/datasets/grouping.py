"""What may be said about groups (artists, albums): only what is known, per track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mgc.errors import UsageError, counted

if TYPE_CHECKING:
    import pandas as pd


def known(tracks: pd.DataFrame, by: str) -> int:
    """How many tracks have a value to group by."""
    columns = [column for column in by.split("+") if column in tracks]
    return int((tracks[columns] != "").any(axis=1).sum()) if columns else 0


def check_known(tracks: pd.DataFrame, by: str, name: str) -> None:
    """Raise UsageError if the tracks of a dataset cannot be grouped, because nothing is known."""
    if by != "none" and not known(tracks, by):
        raise UsageError(
            f"No track of {name!r} has an {' or an '.join(by.split('+'))}.",
            "Group by something else (--group-by), or add the dataset with the missing column.",
        )


def facts(tracks: pd.DataFrame, by: str) -> dict[str, Any]:
    """How far the split keeps groups together, for the record: by, known, tracks, crossing.

    ``known`` counts the tracks with a value to group by, ``crossing`` the groups that are in more
    than one split all the same, as those of a split from elsewhere may be.
    """
    from mgc.datasets import splits

    placed = tracks[tracks["split"] != ""].reset_index(drop=True)
    group = splits.groups(placed, by)  # type: ignore[arg-type]
    crossing = int((placed.groupby(group)["split"].nunique() > 1).sum())
    return {"by": by, "known": known(tracks, by), "tracks": len(tracks), "crossing": crossing}


def words(found: Mapping[str, Any]) -> str:
    """``grouped by artist``, as far as that is true; ``found`` is what `facts` returned."""
    by = found["by"]
    if by == "none":
        return "not grouped"
    if not found["known"]:
        return f"not grouped, because no {by.replace('+', ' or ')} is known"
    if found["crossing"]:
        verb = "is" if found["crossing"] == 1 else "are"
        groups = counted(found["crossing"], "group")
        return f"not grouped: {groups} by {by} {verb} in more than one split"
    return f"grouped by {by}{partly(by, found['known'], found['tracks'])}"


def partly(by: str, known: int, tracks: int) -> str:
    """For how many tracks the group is known, in brackets; "" if for all."""
    if known == tracks:
        return ""
    return (
        f" ({by.replace('+', ' or ')} known for {known:,} of {counted(tracks, 'track')}; "
        "the others each count as their own group)"
    )
