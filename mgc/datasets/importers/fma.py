"""Import from a tree of the Free Music Archive dataset: small, medium, large or full.

The official split and the official genres are used unchanged (Defferrard et al., "FMA: A
Dataset for Music Analysis", ISMIR 2017). A tree on disk is used in place.
"""

from __future__ import annotations

import ast
import csv
import os
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.audio.audio_files import UNREADABLE
from mgc.datasets.importers import facts
from mgc.datasets.table import SPLITS, table
from mgc.errors import MgcError, UsageError, counted

#: Ours ← FMA's two header rows.
SOURCES = {
    "title": ("track", "title"),
    "genre": ("track", "genre_top"),
    "genres": ("track", "genres"),
    "duration": ("track", "duration"),
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "artist_id": ("artist", "id"),
    "artist": ("artist", "name"),
    "album_id": ("album", "id"),
    "album": ("album", "title"),
}
NO_ID = "-1"  # FMA's mark for an unknown album or artist


def import_fma(
    subset: str, path: Path, metadata: Path | None = None
) -> tuple[pd.DataFrame, Path, dict[str, Any]]:
    """The tracks of a subset, the folder that paths start at, and the record of the import.

    Args:
        subset: small, medium, large or full; each holds the ones before it.
        path: a folder with ``fma_<subset>`` (or a larger one) in it, or that folder itself.
        metadata: the folder of tracks.csv and genres.csv, if it is not next to the audio.

    Raises:
        UsageError: no such tree. MgcError: tables that are not FMA's.
    """
    audio, tables = locate(subset, path, metadata)
    tracks = _read_tracks(tables / "tracks.csv")
    genres = _read_genres(tables / "genres.csv")
    tracks = tracks[tracks["subset"].isin(facts.FMA_SUBSETS[: _level(subset) + 1])]
    left_out: dict[str, int] = {}
    with_genre = tracks[tracks["genre"] != ""]
    _count(left_out, "no single top genre", len(tracks) - len(with_genre))
    there, unreadable = _files(audio)
    _count(left_out, UNREADABLE, len(unreadable))
    kept = with_genre[with_genre["path"].isin(there)]
    _count(left_out, "audio file not in the tree", len(with_genre) - len(kept))
    if not len(kept):
        raise UsageError(
            f"{audio} holds none of the {counted(len(with_genre), 'clip')} that "
            f"{tables}/tracks.csv names.",
            "They should be in folders of three digits: fma_small/000/000002.mp3",
        )
    record = {
        "importer": "fma",
        "subset": subset,
        "source": str(audio),
        "left_out": left_out,
        "split_from": "the official one",
        "hierarchy": genres,
        **({"unreadable": unreadable} if unreadable else {}),
    }
    return table(_finished(kept, genres, audio), str(path)), audio, record


def locate(subset: str, path: Path, metadata: Path | None = None) -> tuple[Path, Path]:
    """(folder of the clips, folder of the tables) for a subset in a tree. Raises UsageError."""
    path = path.expanduser().absolute()
    larger = [f"fma_{name}" for name in facts.FMA_SUBSETS[_level(subset) :]]
    places = [path / name for name in larger] + [path]
    audio = next((place for place in places if _has_clips(place)), None)
    if audio is None:
        raise UsageError(
            f"{path} holds no {larger[0]} folder with clips.",
            f"Expected layout: PATH/{larger[0]}/000/000002.mp3 with PATH/fma_metadata/"
            f"tracks.csv, or fetch it: mgc data download fma-{subset} --to DIR",
        )
    beside = [path / "fma_metadata", audio.parent / "fma_metadata", path, audio.parent]
    near = [metadata.expanduser().absolute()] if metadata else beside
    tables = next((place for place in near if (place / "tracks.csv").is_file()), None)
    if tables is None:
        raise UsageError(
            f"FMA's tables (tracks.csv, genres.csv) are not in {near[0]}.",
            "Unpack fma_metadata.zip next to the audio, or give its location: --metadata DIR",
        )
    return audio, tables


def _level(subset: str) -> int:
    return facts.FMA_SUBSETS.index(subset)


def _has_clips(folder: Path) -> bool:
    if not os.path.isdir(folder):
        return False
    try:
        return any(entry.name.isdigit() and len(entry.name) == 3 for entry in os.scandir(folder))
    except OSError as error:
        raise MgcError(f"{folder} cannot be read ({error.strerror}).", "Check the disk.") from error


def _files(audio: Path) -> tuple[set[str], list[str]]:
    """Every mp3 of the tree as ``000/000002.mp3``; the folders that cannot be read, and why."""
    found, unreadable = set(), []
    for folder in sorted(os.scandir(audio), key=lambda entry: entry.name):
        if folder.is_dir() and folder.name.isdigit():
            try:
                names = os.listdir(folder)
            except OSError as error:
                unreadable.append(f"{folder.path} cannot be read ({error.strerror})")
                continue
            found |= {f"{folder.name}/{name}" for name in names if name.endswith(".mp3")}
    return found, unreadable


def clip_path(track_id: str) -> str:
    """``2`` → ``000/000002.mp3``: the folder is the first three digits."""
    number = track_id.zfill(6)
    return f"{number[:3]}/{number}.mp3"


def _count(left_out: dict[str, int], what: str, number: int) -> None:
    if number:
        left_out[what] = number


def _read_tracks(path: Path) -> pd.DataFrame:
    """The columns of `SOURCES` as text, with track_id and path."""
    positions, skipped = _header(path)
    try:
        tracks = pd.read_csv(
            path.absolute(),  # a relative one may look like an address
            header=None,
            skiprows=skipped,
            usecols=[0, *positions.values()],
            dtype=str,
            keep_default_na=False,
        )
    except ValueError as error:
        raise MgcError(f"{path} cannot be read: {error}.", "Unpack it again.") from error
    names = {0: "track_id"} | {position: name for name, position in positions.items()}
    tracks = tracks.rename(columns=names)
    strange = tracks["track_id"][~tracks["track_id"].str.fullmatch(r"\d{1,6}")]
    if len(strange):
        raise MgcError(
            f"{path} is damaged: {strange.iloc[0]!r} is not a track id.", "Unpack it again."
        )
    unknown = set(tracks["split"]) - {*SPLITS, ""}
    if unknown:
        raise MgcError(f"{path}: split {sorted(unknown)[0]!r} is unknown.", "Unpack it again.")
    return tracks.assign(path=tracks["track_id"].map(clip_path))


def _header(path: Path) -> tuple[dict[str, int], int]:
    """The position of each column of `SOURCES`, and how many lines come before the rows."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            first, second, third = next(lines), next(lines), next(lines)
    except (OSError, ValueError, csv.Error, StopIteration) as error:
        raise MgcError(f"{path} cannot be read: {error}.", "Unpack it again.") from error
    there = {pair: number for number, pair in enumerate(zip(first, second, strict=False))}
    absent = [pair for pair in SOURCES.values() if pair not in there]
    if absent:
        raise MgcError(
            f"{path} is not FMA's tracks.csv: it has no column {'.'.join(absent[0])}.",
            "It should have two header rows and 52 columns, as in fma_metadata.zip.",
        )
    positions = {name: there[pair] for name, pair in SOURCES.items()}
    return positions, 3 if third and third[0] == "track_id" else 2


def _read_genres(path: Path) -> dict[str, dict[str, str]]:
    """genre_id → title and parent's id ("0": a root). Raises MgcError."""
    try:
        rows = pd.read_csv(path.absolute(), dtype=str, keep_default_na=False)
        return {
            str(row.genre_id): {"title": str(row.title), "parent": str(row.parent)}
            for row in rows[["genre_id", "title", "parent"]].itertuples()
        }
    except (OSError, ValueError, KeyError) as error:
        raise MgcError(f"{path} cannot be read: {error}.", "Unpack it again.") from error


def _finished(tracks: pd.DataFrame, genres: dict[str, dict[str, str]], audio: Path) -> pd.DataFrame:
    made = tracks.assign(
        artist=_labels(tracks["artist_id"], tracks["artist"], "artist"),
        album=_labels(tracks["album_id"], tracks["album"], "album"),
        genres=tracks["genres"].map(_titles(tracks["genres"], genres)),
    )
    duration = pd.to_numeric(made["duration"], errors="coerce")
    if audio.name != "fma_full":  # the table gives the whole track's length
        duration = duration.clip(upper=facts.FMA_CLIP_SECONDS)
    return made.assign(duration=duration).drop(columns=["artist_id", "album_id"])


def _labels(ids: pd.Series, names: pd.Series, kind: str) -> pd.Series:
    """One label for each id: its name, followed by the id if two ids share the name."""
    first = names.groupby(ids).first()
    shared = first.duplicated(keep=False) | (first == "")
    label = first.where(~shared, (first + " [" + kind + " " + first.index + "]").str.strip())
    return ids.map(label).where(ids != NO_ID, "")


def _titles(lists: pd.Series, genres: dict[str, dict[str, str]]) -> dict[str, str]:
    """``"[12, 25]"`` → ``"Rock|Punk"`` for each text that occurs."""
    made = {}
    for text in lists.unique():
        try:
            ids = ast.literal_eval(text) if text else []
        except (ValueError, SyntaxError):
            ids = []  # a broken list is no reason to fail an import: only the top genre is learnt
        made[text] = "|".join(
            genres.get(str(number), {}).get("title", str(number)) for number in ids
        )
    return made
