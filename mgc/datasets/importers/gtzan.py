"""Import from a tree of GTZAN: any of its known layouts, as wav, au or mp3.

GTZAN comes without a split or artists, and has known faults: replicas, and artists with a third of
a genre (Sturm, "The GTZAN dataset: its contents, its faults", 2013). Users who have the lists can
give them: the fault-filtered split (Kereliuk, Sturm and Larsen, 2015), and the artists.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.audio.audio_files import search
from mgc.datasets.importers import facts
from mgc.datasets.table import table
from mgc.errors import MgcError, UsageError

CLIP = re.compile(rf"(?:{'|'.join(facts.GTZAN_GENRES)})\.\d{{5}}")
#: A list's name tells what it holds: train_filtered.txt, valid_filtered.txt, test_filtered.txt.
LIST_NAMES = {"train": "training", "valid": "validation", "test": "test"}
SEPARATORS = (":::", "\t", ";", ",", ":")


def import_gtzan(
    path: Path, filtered: Sequence[Path] = (), artists: Path | None = None
) -> tuple[pd.DataFrame, Path, dict[str, Any]]:
    """The tracks, the folder that paths start at, and the record of the import.

    Args:
        path: the folder of the ten genre folders, or one above it.
        filtered: the three lists of a split, or the folder that holds them; clips in none of them
            are left out.
        artists: a list of clips and their artists.

    Raises:
        UsageError: no such tree, or lists that do not match it.
    """
    root = locate(path)
    there = search(root)
    tracks = pd.DataFrame([_row(file, root) for file in there.files if _is_clip(file)])
    # Some trees hold wav and au side by side: the first of each clip is kept.
    twice = int(tracks["track_id"].duplicated().sum())
    tracks = tracks.drop_duplicates("track_id").reset_index(drop=True)
    left_out = there.left_out() | ({"second copy in another format": twice} if twice else {})
    if artists is not None:
        tracks["artist"] = _in_order(tracks, read_artists(artists), artists)
    if filtered:
        split = read_lists(filtered)
        tracks["split"] = _in_order(tracks, split, filtered[0])
        outside = int((tracks["split"] == "").sum())
        left_out |= {"not in the filtered lists": outside} if outside else {}
        tracks = tracks[tracks["split"] != ""]
    record: dict[str, Any] = {
        "importer": "gtzan",
        "source": str(root),
        "left_out": left_out,
        **({"unreadable": there.unread()} if there.unreadable else {}),
    }
    if filtered:
        record["split_from"] = "the fault-filtered lists"
    return table(tracks, str(path)), root, record


def locate(path: Path) -> Path:
    """The folder that holds the genre folders. Raises UsageError."""
    path = path.expanduser().absolute()
    for place in [path, *(path / name for name in facts.GTZAN_FOLDERS)]:
        present = [genre for genre in facts.GTZAN_GENRES if (place / genre).is_dir()]
        if len(present) > 1 and any(_has_clips(place / genre) for genre in present):
            return place
    raise UsageError(
        f"{path} does not look like GTZAN.",
        "Expected layout: PATH/genres/blues/blues.00000.wav (also .au or .mp3, and below "
        "genres_original or Data/genres_original).",
    )


def _has_clips(folder: Path) -> bool:
    return any(_is_clip(file) for file in search(folder).files)


def _is_clip(file: Path) -> bool:
    return bool(CLIP.fullmatch(file.stem))


def _row(file: Path, root: Path) -> dict[str, str]:
    return {
        "track_id": file.stem,
        "path": file.relative_to(root).as_posix(),
        "genre": file.stem.partition(".")[0],
        "title": file.stem,
    }


def _in_order(tracks: pd.DataFrame, values: dict[str, str], source: Path) -> pd.Series:
    found = tracks["track_id"].map(values).fillna("").astype(str)
    if (found == "").all():
        raise UsageError(
            f"{source} names none of the clips in the tree.",
            "It should name clips like blues.00000.wav or blues/blues.00000.wav",
        )
    return found


def read_lists(paths: Sequence[Path]) -> dict[str, str]:
    """Clip → split, from lists named train…, valid… and test….

    Raises UsageError if one of the three is missing or a clip is in two of them.
    """
    inside = {path: [*path.glob("*.txt"), *path.glob("*.csv")] for path in paths if path.is_dir()}
    files = [file for path in paths for file in inside.get(path, [path])]
    found: dict[str, str] = {}
    for name, split in LIST_NAMES.items():
        matching = [file for file in files if file.name.lower().startswith(name)]
        if len(matching) != 1:
            raise UsageError(
                f"There {'is no' if not matching else 'is more than one'} list of the {split} "
                f"clips (its name begins with {name!r}).",
                "Give the three lists: --filtered train_filtered.txt --filtered "
                "valid_filtered.txt --filtered test_filtered.txt, or the folder with them.",
            )
        for clip in CLIP.findall(_text(matching[0])):
            if found.setdefault(clip, split) != split:
                raise UsageError(f"{matching[0]}: {clip} is in the {found[clip]} list too.")
    return found


def read_artists(path: Path) -> dict[str, str]:
    """Clip → artist, from lines such as ``blues.00000.wav, John Lee Hooker, …``.

    The fields may be separated by ``:::``, a tab, ``;``, ``,`` or ``:``; the artist is the first
    field after the clip. Lines without a clip are skipped. Raises UsageError if no line
    has one.
    """
    text = _text(path)
    separator = next((sign for sign in SEPARATORS if _fits(text, sign)), None)
    found: dict[str, str] = {}
    for line in text.splitlines() if separator else []:
        fields = _fields(line, str(separator))
        for number, field in enumerate(fields[:-1]):
            clip = CLIP.search(field)
            if clip:
                found[clip[0]] = fields[number + 1]
                break
    if not found:
        raise UsageError(
            f"{path} names no clip with its artist.",
            "One line per clip: blues.00000.wav, John Lee Hooker",
        )
    return found


def _fits(text: str, separator: str) -> bool:
    """Whether most lines that name a clip use this separator after it."""
    lines = [line for line in text.splitlines() if CLIP.search(line)]
    return bool(lines) and sum(separator in line for line in lines) > len(lines) / 2


def _fields(line: str, separator: str) -> list[str]:
    if len(separator) == 1:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]
    return [field.strip() for field in line.split(separator)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MgcError(f"{path} cannot be read: {error.strerror}.") from error
