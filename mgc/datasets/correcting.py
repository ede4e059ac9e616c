"""A dataset whose labels follow a table of corrections.

The labels as they were imported stay in the column `UNCORRECTED`, so that a later call starts from
them again, and folds are the same with corrected labels as without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import pandas as pd

from mgc.datasets import named_splits, table
from mgc.datasets.corrections import Correction, Corrections
from mgc.datasets.quarantine import COLUMNS, quarantine, quarantined
from mgc.datasets.splits import UNCORRECTED
from mgc.datasets.table import Dataset
from mgc.errors import UsageError, unknown
from mgc.home import checksum

#: What tracks are quarantined for, by the answer.
FAULTS = {"not music": "corrected: not music", "several": "corrected: several genres"}


def correct(
    dataset: Dataset,
    corrections: Corrections,
    several: Literal["first", "skip"] = "skip",
    split: str | None = None,
) -> Dataset:
    """Save and return the dataset as the answers say; see `mgc.datasets.correct`."""
    if split in named_splits.names(dataset):
        raise UsageError(f"There already is a split {split!r}.", "Name a new one.")
    if not corrections.path.exists():
        how = f"mgc review {dataset.name}, or: mgc data correct {dataset.name} --set TRACK=GENRE"
        raise UsageError(f"There is no table of corrections {corrections.path}.", f"Make it: {how}")
    tracks = dataset.tracks
    before = tracks.get(UNCORRECTED, tracks["genre"])
    answers = corrections.answers()
    genre, fault = _wanted(tracks["track_id"], before, answers, several, str(corrections.path))
    listed = quarantined(dataset).set_index("track_id")["fault"]
    ours = tracks["track_id"].map(listed[listed.isin(FAULTS.values())]).fillna("")
    tested = tracks["split"].eq("test") & (split is None)
    waiting = tested & (genre.ne(tracks["genre"]) | fault.ne(ours))
    genre, fault = genre.mask(tested, tracks["genre"]), fault.mask(tested, ours)
    changed = pd.DataFrame({"track": tracks["track_id"], "genre": genre, "fault": fault})
    changed = changed[genre.ne(before) | fault.ne("")]
    made = {
        "table": str(corrections.path),
        "changed": int(genre.ne(before).sum()),
        "left_out": int(fault.ne("").sum()),
        "test_tracks_waiting": int(waiting.sum()),
        "unknown_tracks": len(answers.keys() - set(tracks["track_id"])),
        "digest": checksum(changed.to_csv(index=False).encode()) if len(changed) else "",
    }
    done = replace(
        dataset,
        tracks=tracks.assign(**{"genre": genre, UNCORRECTED: before}),
        record={**dataset.record, "corrections": made},
    )
    if split is None:
        done = table.save(done)
    else:
        done = named_splits.make(done, split, dataset.record.get("group_by", "none"), 0)
    _leave_out(done, fault)
    return done


def say(dataset: Dataset, genres: Mapping[str, str]) -> None:
    """Add answers, track id → genre, to the table of the dataset's name.

    Raises UsageError for an unknown track or genre; nothing is added then.
    """
    tracks = dataset.tracks
    known = set(tracks.get(UNCORRECTED, tracks["genre"]))
    for track_id, genre in genres.items():
        for kind, name, names in (("track", track_id, tracks["track_id"]), ("genre", genre, known)):
            if name not in set(names):
                raise unknown(kind, name, names, f"mgc data show {dataset.name}")
    Corrections(dataset.name).add(
        Correction(track_id, "genre", [genre]) for track_id, genre in genres.items()
    )


def _wanted(
    track_ids: pd.Series,
    before: pd.Series,
    answers: Mapping[str, Correction],
    several: str,
    source: str,
) -> tuple[pd.Series, pd.Series]:
    """The genre of each track, and the fault for which it is left out, or "".

    Raises UsageError for a genre that the dataset does not have.
    """
    known, genre, fault = set(before), before.copy(), pd.Series("", before.index, dtype=object)
    for row in track_ids.index[track_ids.isin(answers.keys())]:
        one = answers[track_ids[row]]
        if one.answer == "not music" or (one.answer == "several" and several == "skip"):
            fault[row] = FAULTS[one.answer]
        elif one.genres and one.answer != "skip":
            genre[row] = one.genres[0]
            if genre[row] not in known:
                which = f"genre (track {one.track_id!r} in {source})"
                raise unknown(which, one.genres[0], known, "mgc data show")
    return genre, fault


def _leave_out(dataset: Dataset, fault: pd.Series) -> None:
    """Quarantine tracks for their faults; those that are quarantined for another reason stay so."""
    listed = quarantined(dataset)
    others = listed.loc[~listed["fault"].isin(FAULTS.values()), "track_id"]
    ids = dataset.tracks["track_id"]
    rows = pd.DataFrame({"track_id": ids, "fault": fault, "detail": "said by a person"})
    quarantine(dataset, rows.loc[fault.ne("") & ~ids.isin(others), COLUMNS], FAULTS.values())
