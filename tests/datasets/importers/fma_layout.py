"""Makes trees and zips in FMA's own layout: two header rows, 52 columns, bzip2 members.

As a script it writes metadata at full size:
``python -m tests.datasets.importers.fma_layout FOLDER``.
"""

from __future__ import annotations

import csv
import hashlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

#: tracks.csv, column by column, as the published one has them.
ALBUM = [
    "comments",
    "date_created",
    "date_released",
    "engineer",
    "favorites",
    "id",
    "information",
    "listens",
    "producer",
    "tags",
    "title",
    "tracks",
    "type",
]
ARTIST = [
    "active_year_begin",
    "active_year_end",
    "associated_labels",
    "bio",
    "comments",
    "date_created",
    "favorites",
    "id",
    "latitude",
    "location",
    "longitude",
    "members",
    "name",
    "related_projects",
    "tags",
    "website",
    "wikipedia_page",
]
SET = ["split", "subset"]
TRACK = [
    "bit_rate",
    "comments",
    "composer",
    "date_created",
    "date_recorded",
    "duration",
    "favorites",
    "genre_top",
    "genres",
    "genres_all",
    "information",
    "interest",
    "language_code",
    "license",
    "listens",
    "lyricist",
    "number",
    "publisher",
    "tags",
    "title",
]
COLUMNS = [
    (level, name)
    for level, names in (("album", ALBUM), ("artist", ARTIST), ("set", SET), ("track", TRACK))
    for name in names
]
GENRES = {"Rock": 12, "Folk": 17, "Hip-Hop": 21, "Electronic": 15, "Pop": 10, "Jazz": 4}
FULL = 106_574  # tracks
PROSE = '<p>Recorded live, in one take; the band says: "we\'d do it again".</p>\n' * 12


def row(track_id: int, **values: object) -> list[str]:
    """One line of tracks.csv; values as ``track_title="x"``."""
    given = {tuple(name.split("_", 1)): str(value) for name, value in values.items()}
    strange = set(given) - set(COLUMNS)
    assert not strange, strange
    return [str(track_id), *(given.get(column, "") for column in COLUMNS)]


def write_tables(folder: Path, rows: Sequence[Sequence[str]]) -> Path:
    """tracks.csv and genres.csv in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["", *(level for level, _ in COLUMNS)])
        out.writerow(["", *(name for _, name in COLUMNS)])
        out.writerow(["track_id", *("" for _ in COLUMNS)])
        out.writerows(rows)
    lines = ["genre_id,#tracks,parent,title,top_level"]
    lines += [f"{number},100,0,{title},{number}" for title, number in GENRES.items()]
    lines += ["25,10,12,Punk,12", "27,10,12,Lo-Fi,12"]
    (folder / "genres.csv").write_text("\n".join(lines) + "\n")
    return folder


def full_rows(count: int = FULL, seed: int = 0) -> list[list[str]]:
    """Tracks with the long texts of the real table, artist-disjoint splits and all subsets."""
    random = np.random.default_rng(seed)
    names, made = list(GENRES), []
    for number in range(count):
        artist = number // 7
        part = ("training", "training", "training", "training", "validation", "test")[
            artist // 6 % 6
        ]
        subset = ("small", "medium", "medium", "large", "large", "large")[number % 6]
        several = number % 11 == 0 and subset == "large"
        genre = names[artist % len(names)]
        ids = [GENRES[genre], 25] if genre == "Rock" else [GENRES[genre]]
        values = {
            "set_split": part,
            "set_subset": subset,
            "artist_id": artist,
            "artist_name": f"The “{artist // 2}” Band",  # two ids share a name
            "artist_bio": PROSE,
            "album_id": number // 3 if number % 5 else -1,
            "album_title": f"Songs, vol. {number % 50}" if number % 5 else "",
            "album_information": PROSE,
            "track_title": f"Nº {number}, “{random.integers(1_000_000)}”",
            "track_genre_top": "" if several else genre,
            "track_genres": ids,
            "track_genres_all": ids,
            "track_duration": int(random.integers(20, 600)),
            "track_license": "Attribution-NonCommercial-ShareAlike 3.0 International",
            "track_tags": "['live', 'one, two']",
        }
        made.append(row(number + 2, **values))
    return made


def clip_name(track_id: int) -> str:
    """``000/000002.mp3``."""
    return f"{track_id:06d}"[:3] + f"/{track_id:06d}.mp3"


def write_checksums(top: Path) -> None:
    """``checksums`` for all files of a folder."""
    files = sorted(path for path in top.rglob("*") if path.is_file() and path.name != "checksums")
    lines = [
        f"{hashlib.sha1(path.read_bytes()).hexdigest()}  {path.relative_to(top).as_posix()}"
        for path in files
    ]
    (top / "checksums").write_text("\n".join(lines) + "\n")


def zip_folder(top: Path, target: Path) -> str:
    """Zip a folder as FMA does, bzip2 member by member; the zip's SHA-1."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_BZIP2) as archive:
        archive.mkdir(top.name)
        for path in sorted(top.rglob("*")):
            if path.is_file():
                archive.write(path, f"{top.name}/{path.relative_to(top).as_posix()}")
    return hashlib.sha1(target.read_bytes()).hexdigest()


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]), full_rows())
