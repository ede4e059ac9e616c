"""What a run's numbers belong to: the ``identity`` of its request, checked before two are combined.

Each part is hashed by itself, so that a difference can be named. A value is ``SCHEME:SHA-256``;
values of different schemes cannot be compared, and neither can what an earlier mgc did not record:
such a part is unverified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mgc.errors import MgcError, UsageError, counted

if TYPE_CHECKING:
    from mgc.runs import Run

#: The parts, and what is hashed: JSON of ids, names and parameters, hashes of files, or the hash
#: that a store or a split already has.
SCHEMES = {
    "tracks": "json-1",
    "labels": "json-1",
    "groups": "json-1",
    "audio": "sound-sha256-2",
    "folds": "split-crc32-1",
    "extractor": "fingerprint-1",
    "head": "json-1",
    "pooling": "json-1",
    "learning": "json-1",
    "seed": "json-1",
    "members": "json-1",
}


def identity(**parts: Any) -> dict[str, str]:
    """The identity of a request from JSON-ready values, by the names of `SCHEMES`."""
    return {name: f"{SCHEMES[name]}:{_digest(value)}" for name, value in parts.items()}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def unverified(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The parts of two identities that cannot be compared."""
    return [name for name in one.keys() | other.keys() if not _comparable(one, other, name)]


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The parts in which two identities certainly differ."""
    return [n for n in SCHEMES if _comparable(one, other, n) and one[n] != other[n]]


def _comparable(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    schemes = [str(each.get(name, "")).partition(":")[0] for each in (one, other)]
    return schemes[0] == schemes[1] != ""


def of_members(members: Sequence[Run]) -> dict[str, Any]:
    """The identity of an ensemble: what its members record and share, and their own identities."""
    identities = [run.record.identity for run in members]
    if not all(identities):
        return {}
    shared = {n: v for n, v in identities[0].items() if all(i.get(n) == v for i in identities)}
    return shared | identity(members=[dict(each) for each in identities])


def same_audio(one: Run, other: Run) -> bool | None:
    """Whether two runs heard the same audio; None if that cannot be told: it is not recorded, or
    their tracks differ."""
    mine, theirs = one.record.identity, other.record.identity
    if not all(_comparable(mine, theirs, name) for name in ("tracks", "audio")):
        return None
    return mine["audio"] == theirs["audio"] if mine["tracks"] == theirs["tracks"] else None


def same_labels(one: Run, other: Run) -> bool:
    """Whether two runs are known to be of the same tracks with the same genres."""
    mine, theirs = one.record.identity, other.record.identity
    names = ("tracks", "labels")
    return all(_comparable(mine, theirs, n) and mine[n] == theirs[n] for n in names)


def unlike(one: Run, other: Run, *, corrected: bool = False) -> str:
    """In what the tracks that two runs share differ, in words; "" if nothing is known to.

    Genres and groups are compared by the predictions, audio by the identities. With ``corrected``,
    genres may differ if labels were corrected between the two runs.
    """
    import pandas as pd

    if one is other:
        return ""
    mine, theirs = one.tracks, other.tracks
    shared = mine.index.intersection(theirs.index).sort_values()
    genres = [tracks.loc[shared, "genre"] for tracks in (mine, theirs)]
    changed = shared[(genres[0] != genres[1]).to_numpy()]
    if len(changed) and not (corrected and _corrected(one, other)):
        pair = " and ".join(column[changed[0]] for column in genres)
        rows = counted(len(changed), "row")
        return f"the genre of {rows}, starting with track {changed[0]!r}: {pair}"
    if len(shared) < max(len(mine), len(theirs)):  # a lost track may split its group in two
        return ""
    if "group" in mine and "group" in theirs:
        one_code, other_code = (pd.factorize(t.loc[shared, "group"])[0] for t in (mine, theirs))
        if differing := int((one_code != other_code).sum()):
            return f"the group (artist) of {counted(differing, 'track')}"
    if same_audio(one, other) is False:
        return "the audio of their tracks"
    return ""


def _corrected(one: Run, other: Run) -> bool:
    """Whether labels of the dataset were corrected between two runs."""
    return one.record.dataset.corrections != other.record.dataset.corrections


def same_tracks(members: Sequence[Run]) -> None:
    """Refuse runs that cannot be put side by side: different datasets, genres or splits.

    Raises UsageError that names the two runs and what differs.
    """
    words = {"name": "dataset", "genres": "genres", "folds": "folds"}
    words["split"] = "division into splits"
    require_same(members, words, "Name runs of the same dataset, folds and seed: mgc runs list")


def require_same(found: Sequence[Run], words: Mapping[str, str], hint: str) -> None:
    """Raise UsageError if runs differ in one of these facts (name → in words) of their dataset."""
    first = found[0]
    for run in found[1:]:
        for what, word in words.items():
            mine, other = getattr(first.record.dataset, what), getattr(run.record.dataset, what)
            if mine != other:
                said = f"{first.name} and {run.name} differ in their {word}: {mine} and {other}."
                raise UsageError(said, hint)


def check_alike(found: Sequence[Run], *, corrected: bool = False) -> None:
    """Raise MgcError, naming what differs, if runs were fitted on different labels or audio; see
    `unlike`."""
    for run in found[1:]:
        if words := unlike(found[0], run, corrected=corrected):
            raise MgcError(
                f"{found[0].name} and {run.name} differ in {words}.",
                "They were fitted on different versions of the dataset: fit them again.",
            )


def altered(run: Run) -> bool:
    """Whether the figures in ``run.json`` are not those of the predictions."""
    from mgc.runs.metrics import agree

    said = run.record.metrics
    return not all(agree(said.get(part), made) for part, made in run.scores.items())


def doubts(found: Sequence[Run]) -> list[str]:
    """What could not be checked of runs put side by side, and whose figures were altered."""
    unknown = [run.name for run in found[1:] if same_audio(found[0], run) is None]
    edited = [run.name for run in found if altered(run)]
    relabelled = [run.name for run in found[1:] if _corrected(found[0], run)]
    said = []
    if relabelled:
        said.append(
            f"Labels were corrected between {found[0].name} and {_few(relabelled)}: each figure is "
            "by its run's own labels; tests use only tracks whose label is the same in all."
        )
    if unknown:
        said.append(
            f"Not checked: whether {_few(unknown)} heard the same audio as {found[0].name} "
            "(it is not recorded, or their tracks differ)."
        )
    if edited:
        said.append(
            f"Run {_few(edited)}: its figures do not match its predictions, from which the "
            "figures here are computed."
        )
    return said


def _few(names: Sequence[str]) -> str:
    """At most three names, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
