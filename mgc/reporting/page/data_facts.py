"""What is known about the data behind the figures: can they be trusted?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.datasets import grouping, table
from mgc.datasets.quality.label_errors import label_errors
from mgc.errors import MgcError
from mgc.progress import Progress
from mgc.runs import PARTS, Run, pretraining


@dataclass(frozen=True)
class DataFacts:
    """The data of a report.

    Attributes:
        name: the dataset's.
        protocol: how tracks were split, in words.
        tracks, artists: how many; 0 artists if none is known.
        parts: the parts that `genres` counts.
        genres: for each genre, its name and its number of tracks in each part.
        groups: whether groups (artists) are on both sides of a fold's split: well, ill or unknown,
            and the same in words.
        doubts: what is wrong with the folds, and which encoder knows the music, in words.
        left_out: reasons why tracks are missing, with counts.
        failures: (file, reason) for files that could not be used.
        suspects: likely wrong labels: track_id, title, genre, suggested, margin.
        audit: what an audit of the audio found, line by line; empty if none was requested.
        chance: the accuracy of always naming the most frequent genre.
    """

    name: str
    protocol: str
    tracks: int
    artists: int
    parts: Sequence[str]
    genres: Sequence[tuple[str, Sequence[int]]]
    groups: tuple[str, str]
    doubts: Sequence[str]
    left_out: Mapping[str, int]
    failures: Sequence[tuple[str, str]]
    suspects: Sequence[Mapping[str, Any]]
    chance: float
    audit: Sequence[tuple[bool, str]] = field(default=())

    @property
    def largest(self) -> int:
        """The largest number in `genres`."""
        return max(count for _, counts in self.genres for count in counts)


def data_facts(
    run: Run, best: Run, audited: bool, progress: Progress, others: Sequence[Run] = ()
) -> DataFacts:
    """The facts about a run's dataset, from the run itself; suspects come from the run ``best``.

    Whether encoders were trained on this music is said of ``others`` too.

    With ``audited`` all audio is searched for copies of one recording, as `mgc data audit` does.
    """
    record, rows = run.record.dataset, run.predictions
    parts, genres = _by_genre(run)
    unique = rows.drop_duplicates("track_id")
    artists = set(unique["artist"]) - {""} if "artist" in unique else set()
    paths = [(Path(f["path"]).name, f["path"], f["reason"]) for f in run.record.failures]
    return DataFacts(
        name=record.name,
        protocol=_protocol(run),
        tracks=len(unique),
        artists=len(artists),
        parts=parts,
        genres=genres,
        groups=_groups(run),
        doubts=[*record.doubts, *pretraining.warnings([run, *others])],
        left_out=dict(record.left_out),
        # Without the folder names of the machine that the reasons came from.
        failures=[(name, reason.replace(path, name)) for name, path, reason in paths],
        suspects=_suspects(best),
        chance=float(run.rows("test")["genre"].value_counts(normalize=True).max()),
        audit=_audit(run, progress) if audited else (),
    )


def _protocol(run: Run) -> str:
    record = run.record.dataset
    by, (known, tracks) = record.group_by, _known(run)
    apart = ""
    if by != "none" and known and not crossing_tracks(run.predictions):
        apart = f"; tracks of one {by} are kept together{grouping.partly(by, known, tracks)}"
    if record.folds:
        own = " of the table's own" if record.own_folds else ""
        return f"{record.folds} folds{own}: every track is tested once{apart}"
    return f"one split into training, validation and test{apart}"


def _known(run: Run) -> tuple[int, int]:
    """For how many tracks the group is known, if not by what else the artist; and of how many."""
    record, unique = run.record.dataset, run.predictions.drop_duplicates("track_id")
    if record.group_by in ("artist", "none") or record.group_known is None:
        return grouping.known(unique, "artist"), len(unique)
    return min(record.group_known, len(unique)), len(unique)


def _groups(run: Run) -> tuple[str, str]:
    crossing, (known, tracks) = crossing_tracks(run.predictions), _known(run)
    if crossing:
        return "ill", (
            f"{crossing:,} test tracks share an artist (or group) with tracks that were learnt "
            "from, so the figures are too optimistic."
        )
    if not known:
        return "unknown", (
            "Whether an artist is tested that was also learnt from is unknown: no artist is known."
        )
    by = run.record.dataset.group_by.replace("none", "artist")
    if known < tracks:
        return "unknown", (
            "As far as is known, no artist (or group) is tested that was also learnt from"
            f"{grouping.partly(by, known, tracks)}."
        )
    return "well", "In no fold is an artist (or group) tested that was also learnt from."


def _by_genre(run: Run) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Tracks of each genre: by part, or in total if folds test every track."""
    rows, parts = run.predictions, list(PARTS)
    if rows["fold"].nunique() > 1:
        rows, parts = run.rows("test").assign(part="all"), ["all"]
    counts = rows.groupby(["genre", "part"]).size()
    return parts, [(g, [int(counts.get((g, part), 0)) for part in parts]) for g in run.genres]


def crossing_tracks(rows: pd.DataFrame) -> int:
    """Test tracks whose group or artist was also learnt from, in the same fold."""
    crossing = 0
    for _, fold in rows.groupby("fold"):
        tested = fold["part"] == "test"
        shared = pd.Series(False, fold.index[tested])
        for column in {"group", "artist"} & set(rows):
            learnt = set(fold.loc[~tested, column]) - {""}
            shared |= fold.loc[tested, column].isin(learnt)
        crossing += int(shared.sum())
    return crossing


def _suspects(run: Run) -> list[dict[Any, Any]]:
    found = label_errors(run.predictions, run.genres)
    titles = run.predictions.drop_duplicates("track_id").set_index("track_id")["title"]
    return found.assign(title=found["track_id"].map(titles).astype(str)).to_dict("records")


def _audit(run: Run, progress: Progress) -> list[tuple[bool, str]]:
    """(whether all is well, what was found) about copies of recordings, line by line."""
    from mgc.datasets.quality import audit

    try:
        found = audit.audit(table.load(run.record.dataset.name), progress=progress)
    except MgcError as error:
        return [(False, f"The audit failed: {error.message}")]
    across = sum(_apart(run.predictions, pair.first, pair.second) for pair in found.copies)
    lines = [
        (not found.copies, f"{len(found.copies):,} pairs of tracks are the same recording"),
        (not across, f"{across:,} of them have one track in the test rows and one learnt from"),
    ]
    return lines + [(False, warning) for warning in found.warnings]


def _apart(rows: pd.DataFrame, first: str, second: str) -> bool:
    """Whether, in some fold, exactly one of two tracks is tested."""
    pair = rows[rows["track_id"].isin([first, second])]
    tested = (pair["part"] == "test").groupby(pair["fold"])
    return bool(((tested.sum() == 1) & (tested.size() == 2)).any())
