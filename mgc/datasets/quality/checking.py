"""``mgc data check``: hear every file once, report what is wrong, quarantine unusable tracks.

The policy is fixed before any result is seen: `LEFT_OUT` faults are quarantined, `REMARKS` are
reported and kept.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mgc.audio.no_music import SILENT
from mgc.audio.sound_length import HEARING_REVISION
from mgc.datasets import table
from mgc.datasets.quality.listening import ListeningResult, hear
from mgc.datasets.quarantine import COLUMNS, HEARING, quarantine, quarantined
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError, counted, unknown
from mgc.home import SPACE, replace_file
from mgc.progress import Progress

#: Faults of a file that cannot be used, and what each means.
LEFT_OUT = {
    "missing": "the file does not exist",
    "empty": "the file has no bytes",
    "undecodable": "no decoder can read it",
    "not numbers": "samples are NaN or infinite",
    "out of range": "samples are far beyond full scale",
    "too short": "hardly any sound",
    "silent": "mixed to mono, no sound is louder than -60 dBFS",
}
#: Faults that may not be the file's: it is tried again each time, and never quarantined for it.
NOT_READ = {"not read": "no decoder, permission or memory for it here; tried again each time"}
#: Worth knowing for a researcher, but no reason to leave a track out.
REMARKS = {
    "irregular": "its header is wrong, or there is more in it than one recording",
    "clipped": "the waveform is cut off at a ceiling",
    "rate": "the sample rate differs from most",
    "channels": "the number of channels differs from most",
    "dead channel": "one of its channels is silent, which halves the mix",
    "duration": "the length differs from nearly all",
}
#: Other modules quarantine for this: an unpacked file that does not match its publisher's list.
CHECKSUM = "checksum"

MIN_SECONDS = 2.0  # seconds; FMA's broken clips have 0.5 to 1.6
CLIPPED = 0.01  # share of samples at the ceiling; 372 clips of real music had at most 0.001
#: Lengths are remarked on if this share of the tracks is within `SAME_LENGTH` of the median.
UNIFORM = 0.9
SAME_LENGTH = 0.02
ODD_LENGTH = 0.1
MAJORITY = 0.5  # share of the tracks that makes a rate or a channel count the usual one


@dataclass(frozen=True)
class FileCheck:
    """What a check found.

    Attributes:
        findings: one row per fault: track_id, path, fault, detail, left_out (bool).
        tracks: how many were checked.
        seconds: the total length of decodable music.
    """

    findings: pd.DataFrame
    tracks: int
    seconds: float

    @property
    def left_out(self) -> int:
        """Tracks that are quarantined."""
        return int(self.findings.loc[self.findings["left_out"], "track_id"].nunique())

    @property
    def usable(self) -> int:
        """Tracks that are not quarantined and could be read."""
        return self.tracks - self.left_out - int(self.findings["fault"].isin([*NOT_READ]).sum())


def check(
    dataset: Dataset,
    *,
    workers: int = 0,
    shortest: float = MIN_SECONDS,
    also: Collection[str] = (),
    progress: Progress | None = None,
) -> FileCheck:
    """Hear all tracks, write the quarantine list and ``check.csv``; resumable.

    The table's durations are replaced by the measured ones.

    Args:
        dataset: a saved dataset.
        workers: processes; 0 means one per core.
        shortest: tracks shorter than this, in seconds, are too short.
        also: remarks that should be quarantined too.
        progress: informed about tracks.

    Raises:
        UsageError: an unknown name in ``also``. MgcError: not a single file exists.
    """
    for name in also:
        if name not in REMARKS:
            raise unknown("remark", name, REMARKS, "mgc data check --help")
    if shortest < 0:
        raise UsageError(f"{shortest} s is not a usable minimum length.", "Use --shortest 2")
    paths = dataset.paths()
    if not any(map(os.path.exists, paths)):
        raise MgcError(
            f"None of the {counted(len(dataset.tracks), 'file')} of {dataset.name!r} exist.",
            f"They were in {dataset.root}: is the disk mounted? Nothing was quarantined.",
        )
    if not os.access(dataset.folder, os.W_OK):
        raise MgcError(f"Cannot write in {dataset.folder}: a check could not be kept.", SPACE)
    heard = hear(paths, workers=workers, progress=progress)
    ordered = [heard[path] for path in paths]
    findings = _findings(dataset, paths, ordered, shortest)
    findings["left_out"] = findings["fault"].isin([*LEFT_OUT, *also])
    seconds = [
        one.seconds if not one.problem else before if one.retry else np.nan
        for one, before in zip(ordered, dataset.tracks["duration"], strict=True)
    ]
    _keep_durations(dataset, seconds)
    replace_file(dataset.folder / "check.csv", findings.to_csv(index=False).encode())
    bad = findings[findings["left_out"]].drop_duplicates("track_id")
    quarantine(dataset, bad, [*LEFT_OUT, *REMARKS])
    findings = pd.concat([findings, _by_others(dataset, findings)], ignore_index=True)
    return FileCheck(findings, len(ordered), float(sum(one.seconds for one in ordered)))


def _keep_durations(dataset: Dataset, seconds: Sequence[float]) -> None:
    """Save each track's duration in the dataset as it is now: hearing may have taken hours, and
    labels been corrected meanwhile."""
    now, durations = table.as_it_is_now(dataset), pd.Series(seconds, dtype="float64")
    if now is not dataset:
        ids, heard = now.tracks["track_id"], dataset.tracks["track_id"]
        found = ids.map(durations.set_axis(heard))
        durations = found.where(ids.isin(heard), now.tracks["duration"])
    table.save(replace(now, tracks=now.tracks.assign(duration=durations.to_numpy())))


def _by_others(dataset: Dataset, findings: pd.DataFrame) -> pd.DataFrame:
    """Rows of the list that did not come from a check: checksums, and what people added."""
    rows = quarantined(dataset)
    rows = rows[~rows["fault"].isin([*LEFT_OUT, *REMARKS])]
    paths = dataset.tracks.set_index("track_id")["path"]
    return rows.assign(path=rows["track_id"].map(paths), left_out=True)[list(findings.columns)]


def quarantine_known(dataset: Dataset, known: Collection[str]) -> int:
    """Hear the clips known to be bad, quarantine those that are, and return how many."""
    paths = {one: path for one, path in _paths(dataset).items() if one in known}
    heard = hear(list(paths.values()), workers=1) if paths else {}
    found = [
        (track_id, *fault)
        for track_id, path in paths.items()
        for fault in _faults(path, heard[path], MIN_SECONDS)
        if fault[0] in LEFT_OUT
    ]
    quarantine(dataset, pd.DataFrame(found, columns=COLUMNS), [])
    return len(found)


def judge_again(dataset: Dataset, progress: Progress) -> None:
    """Hear again what a check by an earlier rule of hearing quarantined."""
    rows = quarantined(dataset)
    paths = _paths(dataset)
    rows = rows[rows["fault"].isin(list(LEFT_OUT)) & rows["track_id"].isin(list(paths))]
    if (rows[HEARING] == str(HEARING_REVISION)).all():
        return
    heard = hear([paths[track_id] for track_id in rows["track_id"]], progress=progress)
    found = []
    for track_id, detail in zip(rows["track_id"], rows["detail"], strict=True):
        one = heard[paths[track_id]]
        # A check may have had its own minimum length: what has the same length stays too short.
        shortest = np.inf if detail == _length(one) else MIN_SECONDS
        faults = _faults(paths[track_id], one, shortest)
        found += [(track_id, *fault) for fault in faults if fault[0] in LEFT_OUT]
    try:
        quarantine(dataset, pd.DataFrame(found, columns=COLUMNS), [*LEFT_OUT])
    except MgcError as error:
        progress.say(f"{error.message} An earlier version's list of unusable tracks is used.")
        return
    if len(found) < len(rows):
        progress.say(
            f"{len(rows) - len(found):,} of {len(rows):,} tracks that an earlier version's check "
            "left out can be used."
        )


def _paths(dataset: Dataset) -> dict[str, Path]:
    return dict(zip(dataset.tracks["track_id"], dataset.paths(), strict=True))


def _length(heard: ListeningResult) -> str:
    return f"{heard.seconds:.2f} s"


def _findings(
    dataset: Dataset, paths: Sequence[Path], heard: Sequence[ListeningResult], shortest: float
) -> pd.DataFrame:
    usual = _Usual.of([one for one in heard if not one.problem])
    rows = []
    tracks = zip(dataset.tracks["track_id"], dataset.tracks["path"], paths, heard, strict=True)
    for track_id, relative, path, one in tracks:
        for fault, detail in _faults(path, one, shortest) or usual.remarks(one):
            rows.append((track_id, relative, fault, detail))
    return pd.DataFrame(rows, columns=["track_id", "path", "fault", "detail"], dtype=object)


def _faults(path: Path, heard: ListeningResult, shortest: float) -> list[tuple[str, str]]:
    """Why a file cannot be used: (fault, detail), the first that applies."""
    if heard.problem:
        return [(_kind(path, heard), heard.problem)]
    if heard.seconds < shortest:
        return [("too short", _length(heard))]
    return [("silent", heard.silent)] if heard.silent else []


def _kind(path: Path, heard: ListeningResult) -> str:
    if not os.path.exists(path):
        return "missing"
    if path.is_file() and not path.stat().st_size:
        return "empty"
    if heard.retry:
        return "not read"
    kinds = ("not numbers", "out of range")
    return next((kind for kind in kinds if kind in heard.problem), "undecodable")


@dataclass(frozen=True)
class _Usual:
    """What most files of a dataset have in common; None if there is no majority."""

    rate: int | None
    channels: int | None
    seconds: float | None

    @classmethod
    def of(cls, heard: Sequence[ListeningResult]) -> _Usual:
        lengths = np.array([one.seconds for one in heard] or [0.0])
        median = float(np.median(lengths))
        near = np.abs(lengths - median) <= SAME_LENGTH * median
        return cls(
            _usual([one.rate for one in heard]),
            _usual([one.channels for one in heard]),
            median if median and near.mean() >= UNIFORM else None,
        )

    def remarks(self, one: ListeningResult) -> list[tuple[str, str]]:
        found = [("irregular", one.remark)] if one.remark else []
        if one.ceiling > CLIPPED:
            found.append(("clipped", f"{100 * one.ceiling:.1f} % of samples are at the ceiling"))
        if one.channels > 1 and one.quietest < SILENT / 10:
            found.append(("dead channel", f"the quietest of {one.channels} channels is silent"))
        if self.rate and one.rate != self.rate:
            found.append(("rate", f"{one.rate} Hz, most have {self.rate}"))
        if self.channels and one.channels != self.channels:
            found.append(("channels", f"{one.channels}, most have {self.channels}"))
        if self.seconds and abs(one.seconds - self.seconds) > ODD_LENGTH * self.seconds:
            found.append(("duration", f"{one.seconds:.2f} s, most have {self.seconds:.2f}"))
        return found


def _usual(values: Sequence[int]) -> int | None:
    if not values:
        return None
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()]) if counts.max() >= MAJORITY * len(values) else None
