"""The table of tracks: what a dataset is, and how it is stored in the home folder.

A dataset is a folder with ``tracks.parquet`` (one row per track, see `COLUMNS`), its track ids in
``track_ids.json`` and ``dataset.json``. The audio stays where it is. pandas is imported only when
a table is used: listing datasets, or looking for a track id, reads JSON alone.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mgc.audio.processes.locks import held
from mgc.datasets.default import choose_default, chosen_default
from mgc.errors import MgcError, UsageError, counted, unknown
from mgc.home import (
    FILES,
    home,
    problem_of,
    read_json,
    remove_folder,
    replace_together,
    settle,
)

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SPLITS = ("training", "validation", "test")  # FMA's words
#: Every table has these; an importer may append its own. All are text except duration (s).
COLUMNS = ("track_id", "path", "genre", "split", "artist", "album", "title", "duration")
#: The keys of dataset.json in addition to `Dataset.record`.
OWN = ("schema", "name", "root", "tracks", "genres")
DEMO = "demo"  # the importer of synthesised music, which another seed may replace
TRACKS, IDS, RECORD = "tracks.parquet", "track_ids.json", "dataset.json"
MAX_SECONDS = 1e9  # of a track; a duration beyond it (32 years), or below 0, is unknown
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Dataset:
    """A named table of tracks.

    Attributes:
        name: its name in commands.
        tracks: one row per track with `COLUMNS`; ``path`` is relative to ``root`` or absolute;
            an unknown artist, album or title is "", an unknown duration NaN.
        root: where relative paths start.
        record: what else is known: importer, how the split was made, what was left out.
        read: dataset.json as it was when this was loaded; none of a new dataset.
    """

    name: str
    tracks: pd.DataFrame
    root: Path
    record: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def genres(self) -> list[str]:
        """The genre names, sorted; their order is the order of all probabilities."""
        return sorted(self.tracks["genre"].unique())

    @property
    def folder(self) -> Path:
        """The dataset's folder below the home folder."""
        return datasets_home() / self.name

    def paths(self) -> list[Path]:
        """Absolute path of each track's audio, in the table's order."""
        return [self.root / path for path in self.tracks["path"]]


def datasets_home() -> Path:
    """The folder of all datasets."""
    return home() / "datasets"


def checked_name(name: str) -> str:
    """The name, if it is valid. Raises UsageError otherwise."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid dataset name.",
            "Use lower-case letters, digits, '-', '_' and '.', such as my-music.",
        )
    return name


def table(tracks: pd.DataFrame, source: str) -> pd.DataFrame:
    """Bring an importer's rows into the common form of all datasets.

    Missing columns are added empty; rows are sorted by track id. Genres, artists and albums are
    brought to one Unicode form (NFC; paths stay as they are on disk); if that joins genres,
    ``attrs["remarks"]`` says so. Raises MgcError if there is no row or if an id occurs twice;
    ``source`` names the origin in messages.
    """
    import pandas as pd

    if not len(tracks):
        raise MgcError(f"{source} holds no tracks.", "Check the path; see: mgc data add --help")
    made = pd.DataFrame(index=tracks.index)
    for column in COLUMNS[:-1]:
        values = tracks[column] if column in tracks else pd.Series("", tracks.index)
        made[column] = values.fillna("").astype(str)
    before = made["genre"]
    for column in ("genre", "artist", "album"):
        made[column] = made[column].map(lambda name: unicodedata.normalize("NFC", name))
    seconds = pd.to_numeric(pd.Series(tracks.get("duration"), tracks.index), errors="coerce")
    made["duration"] = seconds.where(seconds.between(0, MAX_SECONDS))
    made = pd.concat([made, tracks.loc[:, ~tracks.columns.isin(COLUMNS)]], axis=1)
    twice = made["track_id"][made["track_id"].duplicated()]
    if len(twice):
        raise MgcError(
            f"{source}: track_id {twice.iloc[0]!r} occurs more than once "
            f"({counted(len(twice), 'such row')}).",
            "Give each track its own id.",
        )
    if before.nunique() > made["genre"].nunique():
        changed = before != made["genre"]
        made.attrs["remarks"] = [
            f"{counted(changed.sum(), 'track')} had a genre "
            f"({', '.join(made['genre'][changed].unique())}) in another Unicode form (NFD) than "
            "others; it is one genre now."
        ]
    return made.sort_values("track_id", ignore_index=True)


def save(dataset: Dataset, files: Mapping[str, bytes] = MappingProxyType({})) -> Dataset:
    """Write the table, its record and other ``files`` of the folder in one step; return it as read.

    Raises UsageError if a new dataset has the name of one from another source, MgcError if a loaded
    one was changed or removed by another process meanwhile.
    """
    own = (SCHEMA, dataset.name, str(dataset.root), len(dataset.tracks), dataset.genres)
    record = dict(dataset.record) | dict(zip(OWN, own, strict=True))
    ids = json.dumps(dataset.tracks["track_id"].tolist()).encode()
    contents = {TRACKS: dataset.tracks.to_parquet(index=False), IDS: ids, **files}
    path = dataset.folder / RECORD
    with changing(dataset.name):
        if not dataset.read:
            check_free(dataset.name, record)
        elif not path.exists() or read_json(path) != dataset.read:
            raise MgcError(
                f"Another process changed or removed the dataset {dataset.name!r} meanwhile.",
                "Nothing was written. Run the same command again.",
            )
        replace_together(path, record, contents)
        return replace(dataset, read=read_json(path))


def as_it_is_now(dataset: Dataset) -> Dataset:
    """A dataset with all of its tracks, read again only if it has been saved since it was loaded.

    Raises as `load` does.
    """
    path = dataset.folder / RECORD
    is_current = path.exists() and read_json(path) == dataset.read
    whole = len(dataset.tracks) == dataset.read.get("tracks")
    return dataset if is_current and whole else load(dataset.name)


def changing(name: str) -> AbstractContextManager[bool]:
    """A dataset's lock, which one process at a time can hold."""
    return held(datasets_home() / f".{checked_name(name)}.lock", wait=True)


def check_free(name: str, record: Mapping[str, Any]) -> None:
    """Raise UsageError if a dataset from another source than this record's has the name: its splits
    and quarantine would not fit these tracks."""
    checked_name(name)
    there = next((r for r in records()[0] if r["name"] == name), record)
    made = (there.get("importer"), record.get("importer"))
    if there.get("source", record.get("source")) != record.get("source") and made != (DEMO, DEMO):
        raise UsageError(
            f"A dataset {name!r} already exists, from {there['source']}.",
            f"Choose another name, or remove it first: mgc data remove {name}",
        )


def load(name: str) -> Dataset:
    """Read a dataset. Raises UsageError for an unknown name, MgcError for damage."""
    folder = datasets_home() / name
    if name not in names():
        raise unknown("dataset", name, names(), "mgc data list")
    import pandas as pd

    hint = f"Add it again after: mgc data remove {name}"
    record = read_json(folder / RECORD, hint)
    if record.get("schema", 0) > SCHEMA:
        raise MgcError(
            f"Dataset {name!r} was made by a newer mgc.", "Update: pip install -U mgc-music"
        )
    try:
        check_file(name, record, TRACKS, f"Import it again: mgc data add {name} …")
    except MgcError:
        if read_json(folder / RECORD, hint) == record:
            raise
        return load(name)  # it was replaced meanwhile
    try:
        tracks, root = pd.read_parquet(folder / TRACKS), Path(record["root"])
    except (OSError, ValueError, KeyError) as error:
        raise MgcError(
            f"Dataset {name!r} is damaged: {error}.", f"Import it again: mgc data add {name} …"
        ) from error
    rest = {key: value for key, value in record.items() if key not in (*OWN, FILES)}
    return Dataset(name, tracks, root, rest, record)


def track_ids(name: str) -> list[str]:
    """The ids of a dataset's tracks, without reading its table if they are beside it."""
    folder = datasets_home() / name
    with suppress(MgcError, OSError, ValueError):
        record = read_json(folder / RECORD)
        check_file(name, record, IDS, "")
        if IDS in record.get(FILES, {}):
            return list(json.loads((folder / IDS).read_bytes()))
    return load(name).tracks["track_id"].tolist()  # damaged, or an earlier mgc wrote none


def check_file(name: str, record: Mapping[str, Any], file: str, hint: str) -> None:
    """Raise MgcError if a file of a dataset's folder is not the one that its record names."""
    folder, checksums = datasets_home() / name, record.get(FILES, {})
    settle(folder, checksums)
    if problem := problem_of(folder, file, checksums):
        raise MgcError(f"Dataset {name!r} is damaged: {problem}.", hint)


def records() -> tuple[list[dict[str, Any]], list[MgcError]]:
    """The dataset.json of each dataset, and the errors for those that cannot be read.

    No table is read.
    """
    found, errors = [], []
    for name in names():
        try:
            record = read_json(datasets_home() / name / RECORD)
            found.append({**record, "name": name, "tracks": record["tracks"]})
        except (MgcError, KeyError) as error:
            reason = error.message if isinstance(error, MgcError) else f"{error} is missing"
            errors.append(MgcError(f"Dataset {name!r} is damaged: {reason}"))
    return found, errors


def names() -> list[str]:
    """The datasets in the home folder, damaged ones included."""
    either = (path for file in (RECORD, TRACKS) for path in datasets_home().glob(f"*/{file}"))
    return sorted({path.parent.name for path in either})


def remove(name: str) -> None:
    """Forget a dataset; its audio is not touched unless mgc itself made it (the demo)."""
    if name not in names():
        raise unknown("dataset", name, names(), "mgc data list")
    with changing(name):
        remove_folder(datasets_home() / name)
    if chosen_default() == name:
        choose_default(None)


def default_name() -> str:
    """The dataset that commands use without ``--data``. Raises UsageError if none is chosen."""
    there = names()
    chosen = chosen_default()
    if chosen in there:
        return str(chosen)
    if len(there) == 1:
        return there[0]
    if not there:
        raise UsageError(
            "There is no dataset yet.", "Run: mgc data add NAME PATH, or: mgc data add demo"
        )
    raise UsageError(
        f"There are several datasets: {', '.join(there)}.",
        "Choose one with --data NAME, or permanently with: mgc data use NAME",
    )
