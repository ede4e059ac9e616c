"""The known tracks that a model finds most like a piece of audio.

The distance is 1 - cosine between embeddings, of which the mean of the known tracks has been
subtracted, in [0, 2]; for an ensemble it is the mean of its members'. The search is exact. A run of
several folds has a space per fold: the first one's is used, in which the run has placed all of its
tracks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc import runs
from mgc.audio.given import given
from mgc.audio.sound_hash import sound_hash
from mgc.datasets import table
from mgc.datasets.importers.tags import read_tags
from mgc.datasets.quarantine import usable
from mgc.datasets.table import Dataset
from mgc.errors import AudioError, MgcError, UsageError, unknown
from mgc.features import file_hashes
from mgc.features.extraction import extract
from mgc.prediction.predictor import BasePredictor, Predictor
from mgc.progress import Progress
from mgc.runs import Run, selection

if TYPE_CHECKING:
    import pandas as pd

#: What may be compared with; files are given by their paths.
Among = str | Dataset | Run | Iterable[str | os.PathLike[str]] | None

BLOCK_ROWS = 8_192  # compared at once
COLUMNS = ("track_id", "genre", "artist", "title", "path")


@dataclass(frozen=True)
class Neighbour:
    """A known track, and how far it is from what was asked about, in [0, 2]."""

    track_id: str
    distance: float
    genre: str
    artist: str
    title: str
    path: str

    @property
    def similarity(self) -> float:
        """The cosine, in [-1, 1]."""
        return 1 - self.distance


@dataclass(frozen=True)
class Neighbours(Sequence[Neighbour]):
    """The nearest known tracks, nearest first.

    Attributes:
        found: the tracks.
        known: how many tracks were compared.
        remark: that there is no music in what was asked about; why tracks of the same artist may be
            among them; or "".
        name: the name of the dataset or run that they are tracks of.
        failures: why tracks could not be compared, one line each.
    """

    found: Sequence[Neighbour]
    known: int
    remark: str = ""
    name: str = ""
    failures: Sequence[str] = ()

    def __getitem__(self, place: Any) -> Any:
        return self.found[place]

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True)
class KnownTracks:
    """Tracks with their embeddings.

    Attributes:
        tracks: one row per track, with `COLUMNS`; the paths are absolute.
        vectors: of each member, (track, dimension) float32.
        name: what they are the tracks of.
        failures: why others have none, one line each.
    """

    tracks: pd.DataFrame
    vectors: Sequence[np.ndarray]
    name: str
    failures: Sequence[str] = ()

    def number(self, track: Path | str) -> int | None:
        """The row of a track by its id, or by its file, wherever that lies; None if it has none."""
        if isinstance(track, str):
            same = np.array([one == track for one in self.tracks["track_id"]])
        else:
            sha, paths = "", list(map(Path, self.tracks["path"]))
            with suppress(AudioError):
                sha = sound_hash(track)
            known = file_hashes.known(paths)
            same = np.array([p in known and known[p][1] == sha for p in paths])
        return int(np.argmax(same)) if np.any(same) else None

    def distances(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """How far each track (track,) is from each member's embedding (dimension,)."""
        if [own.shape[1] for own in self.vectors] != [len(one) for one in vectors]:
            raise MgcError(
                "The embeddings that the run keeps are not of its heads.", "Fit it again."
            )
        pairs = zip(self.vectors, vectors, strict=True)
        return np.asarray(np.mean([apart(own, one[None])[0] for own, one in pairs], 0))


def apart(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 - cosine (other, row) between (row, dimension) and (other, dimension), less the mean of the
    rows."""
    centre = rows.mean(0, dtype=np.float64)
    ones = others - centre
    made = np.empty((len(ones), len(rows)))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS] - centre
        lengths = np.outer(np.linalg.norm(ones, axis=1), np.linalg.norm(block, axis=1))
        cosines = ones @ block.T / np.where(lengths, lengths, 1.0)
        made[:, start : start + BLOCK_ROWS] = 1 - cosines
    return np.clip(made, 0.0, 2.0)


def nearest(
    tracks: pd.DataFrame, distances: np.ndarray, allowed: np.ndarray, count: int
) -> list[Neighbour]:
    """The nearest of the tracks (row,) that are allowed, nearest first."""
    order = np.flatnonzero(allowed)
    order = order[np.argsort(distances[order], kind="stable")][:count]
    return [
        Neighbour(distance=float(far), **{name: str(row[name]) for name in COLUMNS})
        for far, (_, row) in zip(distances[order], tracks.iloc[order].iterrows(), strict=True)
    ]


def similar(
    predictor: BasePredictor,
    wanted: object,
    among: Among,
    count: int,
    same_artist: bool,
    progress: Progress,
) -> Neighbours:
    """The known tracks nearest to audio, or to one of themselves; see `Model.similar`."""
    if count < 1:
        raise UsageError(f"{count} tracks cannot be listed.", "--count accepts 1 or more.")
    known = known_tracks(predictor, among, progress)
    own, vectors, remark = _asked(predictor, wanted, known)
    distances, tracks = known.distances(vectors), known.tracks
    wanted_ones = np.ones(len(tracks), bool)
    if own is not None:
        wanted_ones[own] = False
    artist = "" if own is None else tracks["artist"].iloc[own]
    if artist and not same_artist:
        wanted_ones &= (tracks["artist"] != artist).to_numpy()
    found = nearest(tracks, distances, wanted_ones, count)
    why = "Its artist is not known" if tracks["artist"].any() else f"{known.name} names no artists"
    if not same_artist and not artist:
        remark = f"{remark} {why}, so tracks of the same one may be among these.".lstrip()
    return Neighbours(found, len(tracks), remark, known.name, known.failures)


def _asked(
    predictor: BasePredictor, wanted: object, known: KnownTracks
) -> tuple[int | None, Sequence[np.ndarray], str]:
    """The row of what is asked about if it is a known track, each member's embedding of it, and a
    sentence if it holds no music."""
    own = None
    if isinstance(wanted, str | os.PathLike):
        path = Path(wanted).expanduser()
        if isinstance(wanted, str) and not path.is_file():
            own = known.number(wanted)
            if own is None:
                kind, ids = f"file, and no track of {known.name},", known.tracks["track_id"]
                command = "mgc data show, or give the path of a file"
                raise unknown(kind, wanted, ids, command)
        else:
            wanted, own = path, known.number(path)
    if own is not None:
        return own, [rows[own] for rows in known.vectors], ""
    audio = given(wanted)
    vectors, heard = predictor.embedded(audio)
    silent = f"{audio}: {heard.remark}, so its neighbours mean nothing."
    return None, vectors, silent if heard.remark else ""


def known_tracks(predictor: BasePredictor, among: Among, progress: Progress) -> KnownTracks:
    """The tracks of a dataset or a run, or files, placed in the model's space.

    None means those of the model's own run. Raises UsageError if there are none.
    """
    if among is not None and not isinstance(among, str | Dataset | Run):
        return _embedded(predictor, _of_files(among), "the list", progress)
    source = named(among) if isinstance(among, str) else among or predictor.run
    if isinstance(source, Dataset):
        tracks = usable(source)[0]
        tracks = tracks.assign(path=[str(source.root / path) for path in tracks["path"]])
        return _embedded(predictor, tracks, source.name, progress)
    if source is None or not (source.folder / runs.PREDICTIONS).exists():
        raise UsageError(
            f"{predictor.name} has no tracks of its own to compare with.",
            "Name a dataset: --among DATASET",
        )
    name = source.record.dataset.name
    tracks = source.tracks.reset_index().reindex(columns=list(COLUMNS), fill_value="")
    own = predictor.run is not None and source.folder == predictor.run.folder
    vectors = _kept(predictor, list(tracks["track_id"])) if own else None
    if vectors is not None:
        return KnownTracks(tracks, vectors, name)
    return _embedded(predictor, tracks, name, progress)


def _of_files(paths: Iterable[str | os.PathLike[str]]) -> pd.DataFrame:
    """Files as tracks: their ids are the paths as given, artists and titles those of their tags."""
    import pandas as pd

    files = {str(path): Path(path).expanduser().absolute() for path in paths}
    tags = [read_tags(file) for file in files.values()]
    return pd.DataFrame(
        {
            "track_id": list(files),
            "genre": "",
            "artist": [found.artist for found in tags],
            "title": [found.title for found in tags],
            "path": list(map(str, files.values())),
        }
    )


def named(name: str) -> Dataset | Run:
    """A dataset by name, or else a run. Raises UsageError if there is neither."""
    if name in table.names():
        return table.load(name)
    try:
        return selection.one(name)
    except UsageError:
        known = [*table.names(), *runs.names()]
        raise unknown("dataset or run", name, known, "mgc data list, mgc runs list") from None


def _kept(predictor: BasePredictor, tracks: list[str]) -> list[np.ndarray] | None:
    """The embeddings that the run's members have of their tracks; None if an ensemble's member is
    not at home any more (its copy in the ensemble has none)."""
    assert isinstance(predictor, Predictor)
    found = []
    for member in predictor.members:
        home = runs.runs_home() / member.name
        if member.folder.parent.name == "members":
            if not _same(home / "run.json", member.folder / "run.json"):
                return None
            member = runs.load(member.name)
        first = member.predictions[member.predictions["fold"] == member.predictions["fold"].min()]
        rows = first.reset_index().set_index("track_id")["index"].loc[tracks]
        found.append(member.embeddings[rows])
    return found


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.read_bytes() == other.read_bytes()


def _embedded(
    predictor: BasePredictor, tracks: pd.DataFrame, name: str, progress: Progress
) -> KnownTracks:
    """Tracks embedded from their features, which are extracted where they are missing; those whose
    files cannot be used are left out, and counted. Raises MgcError if none is left."""
    sources, paths = list(predictor.answering.values()), list(map(Path, tracks["path"]))
    made = extract(paths, sources, progress)
    failed = {failure.path: failure.reason for failure in made.failures}
    if failed:
        progress.say(f"{len(failed):,} of the {len(paths):,} files of {name} could not be used.")
    good = np.array([path not in failed for path in paths])
    if not good.any():
        why = next(iter(failed.values()), "There are none.")
        raise MgcError(f"None of the files of {name} could be used.", why)
    rows = []
    with progress.task(f"embedding {name}", int(good.sum()), "tracks") as task:
        for path in np.array(paths, dtype=object)[good]:
            clips = [source.store.read(made.hashes[path]) for source in sources]
            rows.append(predictor.embeddings(clips))
            task.advance()
    vectors = [np.stack(own).astype(np.float32) for own in zip(*rows, strict=True)]
    kept = tracks[good].reset_index(drop=True)
    return KnownTracks(kept, vectors, name, list(failed.values()))
