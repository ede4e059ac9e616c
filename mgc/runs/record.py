"""What ``run.json`` contains: one schema, read and checked only here.

A `RunRecord` has the fields as attributes, and as a mapping it is the file itself, with its keys
in order, including those that this version does not know: what was read is what is written back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

UNSEEDED = ("logistic",)  # heads that do not depend on the seed, for runs that do not say so
SCHEMA = 1  # of run.json; a larger number comes from a newer version
MAX_FOLDS = 10_000
SHARES = (
    "accuracy", "accuracy_low", "accuracy_high", "precision", "recall", "f1", "ece",
    "ece_corrected", "ece_low", "ece_high",
)  # fmt: skip
Values = Mapping[str, Any]
Part = TypeVar("Part")


@dataclass(frozen=True)
class RecordedDataset:
    """The dataset as it was; ``split`` names its division, ``folds`` is 0 for a single split.

    ``group_known`` counts the tracks whose group is known (None in runs that did not count),
    ``own_folds`` says that the folds were the table's, ``doubts`` what is wrong with them,
    ``corrections`` is a checksum of the labels that had been corrected ("": none).
    """

    name: str
    genres: list[str]
    importer: str = ""
    tracks: int = 0
    folds: int = 0
    group_by: str = "none"
    group_known: int | None = None
    own_folds: bool = False
    doubts: Sequence[str] = ()
    split: str | None = None
    corrections: str = ""
    left_out: Values = field(default_factory=dict)
    quarantined: Values = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedPlugin:
    """The extractor, head or strategy of a run."""

    name: str
    distribution: str = ""
    settings: Values = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedExtractor(RecordedPlugin):
    """The extractor of a single run."""

    version: str = ""
    identity: Values = field(default_factory=dict)
    fingerprint: str | None = None
    licence: str = ""
    pretrained_on: Sequence[str] = ()


@dataclass(frozen=True)
class RecordedHead(RecordedPlugin):
    """The head of a single run; ``training`` is that of a gradient head."""

    version: str | None = None
    training_settings: Values = field(default_factory=dict)
    params: Values | None = None
    training: Values | None = None


@dataclass(frozen=True)
class RecordedStrategy(RecordedPlugin):
    """The strategy of an ensemble, and what it learnt if that is only a few numbers."""

    version: str = ""
    params: Values = field(default_factory=dict)
    calibrate: bool = False
    learn_from: str | None = None
    learnt: Values = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedFailure:
    """A file that could not be used."""

    path: str
    reason: str = ""


@dataclass(frozen=True, eq=False)
class RunRecord(Mapping[str, Any]):
    """The fields of ``run.json``; those of the other kind of run have their defaults.

    ``seeded`` is False for a run that is the same with every seed on its split. ``learns`` names
    the parts that its heads learnt from. If ``validation`` is among them, its rows in the
    predictions are the answers of a first fit that had not seen them.
    ``metrics`` has a `mgc.runs.metrics.summary` for each part of the tracks, ``identity`` what
    `mgc.runs.identity` makes of the request (empty in runs of earlier versions), ``tracking`` the
    settings of the tracker.
    """

    raw: Values
    kind: str
    state: str
    dataset: RecordedDataset
    schema: int = 0
    created: str = ""
    environment: Values = field(default_factory=dict)
    command: Sequence[str] = ()
    extractor: RecordedExtractor = RecordedExtractor("")
    head: RecordedHead = RecordedHead("")
    strategy: RecordedStrategy = RecordedStrategy("")
    members: Sequence[str] = ()
    member_labels: Sequence[str] = ()
    overlap: Values = field(default_factory=dict)
    seed: int | None = None
    seeded: bool = True
    device: str = "cpu"
    include_bad: bool = False
    pooled: bool = False
    learns: Sequence[str] = ("training",)
    failures: Sequence[Mapping[str, str]] = ()
    metrics: Mapping[str, Values] = field(default_factory=dict)
    seconds: float | None = None
    calibration: Values | None = None
    identity: Values = field(default_factory=dict)
    tracking: Values | None = None
    problem: str = ""
    checksums: Values = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.raw[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


def parse(raw: Mapping[str, Any]) -> RunRecord:
    """The typed record. Raises ValueError that names a field that is missing or of the wrong
    type."""
    head = raw.get("head")
    seeded = not (isinstance(head, Mapping) and head.get("name") in UNSEEDED)
    made = _read(RunRecord, {"seeded": seeded, **raw, "raw": raw}, "")
    if made.kind not in ("single", "ensemble"):
        raise ValueError(f"run.json: kind is {made.kind!r}, not 'single' or 'ensemble'")
    needed = ("strategy", "members") if made.kind == "ensemble" else ("extractor", "head")
    for name in needed:
        if name not in raw:
            raise ValueError(f"run.json lacks {name}")
    _check_lists(made)
    for part, figures in made.metrics.items():
        check_figures(figures, f"metrics.{part}", made.dataset.genres)
    return made


def _check_lists(made: RunRecord) -> None:
    """Raise ValueError for a list of the wrong things, a member that is no plain file name, or a
    number of folds that no run has."""
    lists: dict[str, Any] = {"dataset.genres": made.dataset.genres, "command": made.command}
    lists |= {"members": made.members, "member_labels": made.member_labels}
    lists["learns"] = made.learns
    lists["extractor.pretrained_on"] = made.extractor.pretrained_on
    for name, values in lists.items():
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise ValueError(f"run.json: {name} is {values!r:.40}, not a list of text")
    for member in made.members:
        if member in ("", ".", "..") or set(member) & set("/\\\0"):
            raise ValueError(f"run.json: members has {member!r:.40}, not the name of a folder")
    if not 0 <= made.dataset.folds <= MAX_FOLDS:
        raise ValueError(
            f"run.json: dataset.folds is {made.dataset.folds!r:.40}, not 0 to {MAX_FOLDS}"
        )
    for failure in made.failures:
        _checked(failure, [RecordedFailure], "failures")


def check_figures(figures: Any, name: str, genres: Sequence[str]) -> None:
    """Raise ValueError for figures of a part that no predictions have."""
    if not isinstance(figures, Mapping):
        raise ValueError(f"run.json: {name} is {figures!r:.40}, not an object")
    for key, value in figures.items():
        if key in SHARES and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise ValueError(f"run.json: {name}.{key} is {value!r:.40}, not within 0 and 1")
        if key in ("nll", "tracks") and not (isinstance(value, int | float) and 0 <= value < 2**53):
            raise ValueError(f"run.json: {name}.{key} is {value!r:.40}, not a number from 0 on")
    by_genre = figures.get("by_genre", {})
    if not isinstance(by_genre, Mapping) or not set(by_genre) <= set(genres):
        raise ValueError(f"run.json: {name}.by_genre is not an object of the genres")
    for genre, row in by_genre.items():
        check_figures(row, f"{name}.by_genre.{genre}", ())
    confusion = figures.get("confusion")
    if confusion is not None and not _is_square(confusion, len(genres)):
        raise ValueError(f"run.json: {name}.confusion is not a table of genre by genre")


def _is_square(rows: Any, size: int) -> bool:
    """Whether these are ``size`` lists of as many counts."""
    lists = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    return (
        lists
        and [len(row) for row in rows] == [size] * size
        and {type(count) for row in rows for count in row} <= {int}
        and all(min(row) >= 0 and max(row) < 2**53 for row in rows)
    )


def _read(cls: type[Part], raw: Mapping[str, Any], prefix: str) -> Part:
    schema: Any = _schema  # the cache needs a hashable, and mypy does not accept a type as one
    known = schema(cls)
    absent = [prefix + name for name, required, _ in known if required and name not in raw]
    if absent:
        raise ValueError(f"run.json lacks {', '.join(sorted(absent))}")
    found = [(name, kinds) for name, _, kinds in known if name in raw]
    return cls(**{name: _checked(raw[name], kinds, prefix + name) for name, kinds in found})


def _checked(value: Any, kinds: Sequence[type], name: str) -> Any:
    """A value of one of several types; a nested object is read, anything else returned as it is."""
    if is_dataclass(kinds[0]) and isinstance(value, Mapping):
        return _read(kinds[0], value, f"{name}.")
    allowed = (*kinds, int) if float in kinds else tuple(kinds)
    if isinstance(value, allowed) and (bool in kinds or not isinstance(value, bool)):
        return value
    wanted = " or ".join(NOUNS.get(kind, "object") for kind in kinds)
    raise ValueError(f"run.json: {name} is {value!r:.40}, not {wanted}")


NOUNS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    Sequence: "a list",
    type(None): "null",
}


@cache
def _schema(cls: type) -> list[tuple[str, bool, Sequence[type]]]:
    """The name of each field, whether it is required, and its types."""
    hints = get_type_hints(cls)
    made: list[tuple[str, bool, Sequence[type]]] = []
    for one in fields(cls):
        hint = hints[one.name]
        options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        required = one.default is MISSING and one.default_factory is MISSING
        made.append((one.name, required, [get_origin(o) or o for o in options]))
    return made
