"""``mgc data add``: turns whatever the user has into a saved dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.datasets import grouping, quarantine, splits, table
from mgc.datasets.importers import facts
from mgc.datasets.importers.demo import make_demo
from mgc.datasets.importers.fma import import_fma
from mgc.datasets.importers.folder import import_folder
from mgc.datasets.importers.gtzan import import_gtzan
from mgc.datasets.importers.manifest import import_manifest
from mgc.datasets.importers.naming import AS_WRITTEN, NameRules, check_rules
from mgc.datasets.importers.tabular import SUFFIXES
from mgc.datasets.quality import checking
from mgc.datasets.remarks import about_names
from mgc.datasets.table import Dataset
from mgc.errors import UsageError, counted
from mgc.progress import Progress

MIN_TRACKS = 3  # tracks: one per split


def add_path(
    name: str,
    path: Path,
    *,
    group_by: splits.GroupBy | None,
    seed: int,
    drop_rare: bool,
    rules: NameRules = AS_WRITTEN,
) -> Dataset:
    """Import a folder of genres or a table, make a split if it has none, and save it."""
    path = path.expanduser().absolute()
    table.check_free(name, {"source": str(path)})
    check_rules(rules, path)
    if path.is_dir():
        tracks, root, importer = import_folder(path, rules), path, "folder"
    elif path.is_file() and path.suffix.lower() in SUFFIXES:
        tracks, root, importer = import_manifest(path, rules), path.parent, "manifest"
    elif path.exists():
        raise UsageError(
            f"{path} is neither a folder nor a table.", f"A table ends in {', '.join(SUFFIXES)}."
        )
    else:
        raise UsageError(f"{path} does not exist.", "Check the path.")
    _some_audio(tracks, root, path)
    record: dict[str, Any] = {"importer": importer, "source": str(path)}
    if rules != AS_WRITTEN:
        record["names"] = {key: value for key, value in asdict(rules).items() if value}
    return finish(name, tracks, root, record, group_by=group_by, seed=seed, drop_rare=drop_rare)


def add_fma(
    name: str,
    subset: str,
    path: Path,
    *,
    metadata: Path | None = None,
    bad_clips: Mapping[str, str] | None = None,
) -> Dataset:
    """Import a tree of FMA with its official split, and save it.

    ``bad_clips`` (track id → reason) and the clips known to be broken, if they really are, are
    quarantined.
    """
    table.checked_name(name)
    tracks, root, record = import_fma(subset, path, metadata)
    dataset = finish(name, tracks, root, record, group_by=None, seed=0, drop_rare=True)
    if bad_clips is not None:
        rows = [(track_id, checking.CHECKSUM, reason) for track_id, reason in bad_clips.items()]
        frame = pd.DataFrame(rows, columns=quarantine.COLUMNS)
        quarantine.quarantine(dataset, frame, [checking.CHECKSUM])
    checking.quarantine_known(dataset, facts.FMA_KNOWN_BAD)
    return dataset


def add_gtzan(
    name: str,
    path: Path,
    *,
    filtered: Sequence[Path] = (),
    artists: Path | None = None,
    group_by: splits.GroupBy | None,
    seed: int,
) -> Dataset:
    """Import a tree of GTZAN and save it; the known corrupt clip is quarantined if it really is."""
    table.checked_name(name)
    tracks, root, record = import_gtzan(path, filtered, artists)
    dataset = finish(name, tracks, root, record, group_by=group_by, seed=seed, drop_rare=True)
    checking.quarantine_known(dataset, facts.GTZAN_KNOWN_BAD)
    return dataset


def add_demo(name: str, *, seed: int, progress: Progress | None = None) -> Dataset:
    """Synthesise the demo dataset into its own folder and save it."""
    record = {"importer": table.DEMO, "source": f"synthesised with seed {seed}"}
    table.check_free(name, record)
    folder = table.datasets_home() / name
    tracks = make_demo(folder, seed, progress)
    return finish(name, tracks, folder, record, group_by="artist", seed=seed, drop_rare=False)


def finish(
    name: str,
    tracks: pd.DataFrame,
    root: Path,
    record: dict[str, Any],
    *,
    group_by: splits.GroupBy | None,
    seed: int,
    drop_rare: bool,
) -> Dataset:
    """Check genres, make a split if the table has none, save; the last step of an import."""
    table.checked_name(name)
    by = group_by or splits.default_grouping(tracks)
    grouping.check_known(tracks, by, name)
    record = {"left_out": {}, **{str(key): value for key, value in tracks.attrs.items()}, **record}
    tracks.attrs.clear()
    try:
        tracks, split, dropped = _divided(tracks, record, by, seed, drop_rare)
    except UsageError as error:  # a look-alike or a stray genre may be why it is too small
        odd = [*record.get("remarks", []), *about_names(tracks)]
        raise UsageError(error.message, " ".join([error.hint, *odd])) from error
    record = {**record, "group_by": by, "left_out": {**record["left_out"], **dropped}}
    record["split"] = split
    if given := splits.given_folds(tracks):
        record["folds"] = given
    record["grouping"] = grouping.facts(tracks, by)
    return table.save(Dataset(name, tracks, root, record))


def _divided(
    tracks: pd.DataFrame, record: dict[str, Any], by: splits.GroupBy, seed: int, drop_rare: bool
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, int]]:
    """The tracks with a split, how it was made, and the tracks left out by genre."""
    origin = record.pop("split_from", "from the table's own column")
    if (tracks["split"] != "").any():
        if seed:
            raise UsageError("A seed has no effect: the tracks have a split.", "Leave it out.")
        tracks, dropped = _learnable(tracks, drop_rare)
        return tracks, {"made": origin}, dropped
    tracks, dropped = _without_rare(tracks, by, drop_rare)
    tracks = tracks.assign(split=splits.make_split(tracks, by, seed))
    return tracks, {"made": "stratified by genre", "grouped_by": by, "seed": seed}, dropped


def _some_audio(tracks: pd.DataFrame, root: Path, source: Path) -> None:
    """Fail now if all paths of a table are wrong, not after an hour; count those that are."""
    absent = [path for path in tracks["path"] if not os.path.exists(os.path.join(root, path))]
    if len(absent) == len(tracks):
        slashes = [path.replace("\\", "/") for path in absent]
        turned = any(os.path.exists(root / path) for path in slashes)
        raise UsageError(
            f"None of the {counted(len(tracks), 'file')} that {source} names exist "
            f"(the first: {root / tracks['path'].iloc[0]}).",
            f"{'Write the paths with /, not with a backslash. ' if turned else ''}"
            f"Relative paths start at {root}.",
        )
    if absent:
        remark = (
            f"{len(absent):,} of the {counted(len(tracks), 'file')} did not exist when they were "
            f"added, for example {absent[0]}."
        )
        tracks.attrs["remarks"] = [*tracks.attrs.get("remarks", []), remark]


def _without_rare(
    tracks: pd.DataFrame, by: splits.GroupBy, drop: bool
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The tracks of genres that can be in every split, and the number of tracks in other genres."""
    counts = tracks["genre"].value_counts()
    rare = counts[counts < MIN_TRACKS]
    if len(rare) and not drop:
        genre, there = rare.index[0], counted(rare.iloc[0], "track")
        raise UsageError(
            f"Genre {genre!r} has only {there}; training, validation and test need one each.",
            "Add some, or leave out such genres with --drop-rare.",
        )
    if drop:
        groups = splits.group_counts(tracks, splits.groups(tracks, by))
        rare = counts[groups.reindex(counts.index) < MIN_TRACKS]
    return _without(tracks, rare)


def _learnable(tracks: pd.DataFrame, drop: bool) -> tuple[pd.DataFrame, dict[str, int]]:
    """Like `_without_rare`, for a split from the table: a genre needs a training track."""
    counts = tracks["genre"].value_counts()
    taught = tracks.loc[tracks["split"] == "training", "genre"].unique()
    rare = counts[~counts.index.isin(taught)]
    if len(rare) and not drop:
        raise UsageError(
            f"Genre {rare.index[0]!r} has no track in the training split.",
            "Change the split column, or leave out such genres with --drop-rare.",
        )
    return _without(tracks, rare)


def _without(tracks: pd.DataFrame, rare: pd.Series) -> tuple[pd.DataFrame, dict[str, int]]:
    kept = tracks[~tracks["genre"].isin(rare.index)].reset_index(drop=True)
    if kept["genre"].nunique() < 2:
        only = kept["genre"].nunique()
        raise UsageError(
            f"There {'is only 1 genre' if only else 'is no genre'} to classify.",
            "Give at least two genre folders (or two values in the genre column).",
        )
    return kept, {f"genre {genre}": int(count) for genre, count in rare.items()}
