"""Pictures of features: what an extractor hears in a clip, with axes in their units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgc.audio import decoding
from mgc.errors import UsageError, counted
from mgc.features.extraction import features_of
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins.contract import FeatureKind
from mgc.reporting.colours import LIGHT, PICTURE
from mgc.reporting.plots import STYLE, short

PANEL = 1.9  # inches high
WIDTH = 7.2  # inches: a journal page
MAX_TICKS = 7
#: Frequencies that readers are familiar with, Hz.
ROUND_HZ = (32, 64, 125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
OUTLYING = 3.0  # inter-quartile ranges beyond the quartiles: "far out" in Tukey's sense (1977)
MIN_TICK_DISTANCE = 0.06  # of the axis
DENSE = 64  # vectors with more dimensions are drawn as a line, not bars


@dataclass(frozen=True)
class Picture:
    """One extractor's feature of one clip.

    Attributes:
        extractor: its name.
        kind: of the feature; ``values`` is (feature, frame), (feature,) or (layer, feature).
        unit: of the values, such as dB.
        axis: what the feature rows are, with their unit: ``frequency (Hz)``, ``pitch class``.
        places: the value at each feature row: numbers, or names.
        start: where the clip begins in the track, s.
        seconds: how long the clip is, s.
    """

    extractor: str
    kind: FeatureKind
    values: np.ndarray
    unit: str
    axis: str
    places: Sequence[float] | Sequence[str]
    start: float
    seconds: float


def pictures(path: Path, sources: Sequence[ExtractorSpec], clip: int = 1) -> list[Picture]:
    """The features of one clip of a file, one per extractor; the file is decoded once.

    Raises UsageError if the track has no such clip, AudioError if the file is unusable.
    """
    made = features_of(path, sources)
    return [_picture(path, source, made[source.name], clip) for source in sources]


def _picture(path: Path, source: ExtractorSpec, clips: Sequence[np.ndarray], clip: int) -> Picture:
    if not 1 <= clip <= len(clips):
        raise UsageError(
            f"{path.name} is heard as {counted(len(clips), 'clip')}; there is no clip {clip}.",
            "Choose another with --clip, or cut it differently with --clip-seconds.",
        )
    whole = decoding.probe(path).seconds
    values = np.asarray(clips[clip - 1], np.float32)
    axis, places = feature_axis(source, values.shape[-2 if source.kind == "sequence" else -1])
    start = source.policy.starts(whole)[clip - 1]
    seconds = min(source.policy.seconds, whole - start)
    unit = source.info.unit
    return Picture(source.name, source.kind, values, unit, axis, places, start, seconds)


def feature_axis(source: ExtractorSpec, count: int) -> tuple[str, Sequence[float] | Sequence[str]]:
    """What the ``count`` rows of a feature are: the extractor's own labels (`Extractor`, optional
    ``feature_axis``), or their numbers."""
    own = getattr(source.extractor, "feature_axis", None)
    if own is not None:
        label, places = own(source.info.sample_rate)
        if len(places) == count:
            return str(label), list(places)
    return "dimension", [float(number) for number in range(count)]


def draw(made: Sequence[Picture], title: str) -> Figure:
    """Pictures below one another; sequences share one time axis, that of the track."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, PANEL * len(made) + 0.5), layout="constrained")
        axes = figure.subplots(len(made), 1, squeeze=False)[:, 0]
        for axis, picture in zip(axes, made, strict=True):
            _draw_one(axis, levelled([picture])[0])
        figure.suptitle(short(title, 90), fontsize=9)
        _share_time(list(axes), made)
    return figure


def draw_grid(columns: Sequence[tuple[str, Sequence[Picture]]]) -> Figure:
    """Tracks side by side (title, pictures); a row is an extractor, with one colour scale."""
    count = len(columns[0][1])
    with mpl.rc_context(STYLE):
        size = (max(2.4 * len(columns), 4.0), PANEL * count + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(count, len(columns), squeeze=False)
        for row in range(count):
            made = levelled([pictures[row] for _, pictures in columns])
            limits = value_range([picture.values for picture in made])
            for column, ((title, _), picture) in enumerate(zip(columns, made, strict=True)):
                axis = axes[row, column]
                _draw_one(axis, picture, limits, bar=column == len(columns) - 1)
                axis.set_title(short(title, 30) if row == 0 else "")
                if column:
                    axis.set_ylabel("")
        for column, (_, pictures) in enumerate(columns):
            _share_time(list(axes[:, column]), pictures)
    return figure


def _share_time(axes: Sequence[Axes], made: Sequence[Picture]) -> None:
    timed = [a for a, picture in zip(axes, made, strict=True) if picture.kind == "sequence"]
    for axis in timed[:-1]:
        axis.tick_params(labelbottom=False)
        axis.set_xlabel("")
    for axis in timed:
        axis.set_xlim(made[0].start, made[0].start + made[0].seconds)


def _draw_one(
    axis: Axes, picture: Picture, limits: tuple[float, float] | None = None, bar: bool = True
) -> None:
    axis.set_title(picture.extractor, loc="left")
    if picture.kind == "vector":
        _draw_vector(axis, picture)
        return
    values = picture.values
    rows, columns = values.shape
    low, high = limits or value_range([values])
    if picture.kind == "layers":
        left, right = -0.5, columns - 0.5
        axis.set(xlabel=picture.axis, ylabel="layer")
    else:
        left, right = picture.start, picture.start + picture.seconds
        axis.set(xlabel="time (s)", ylabel=picture.axis)
    image = axis.imshow(
        values, origin="lower", aspect="auto", cmap=PICTURE, vmin=low, vmax=high,
        interpolation="nearest", extent=(left, right, -0.5, rows - 0.5),
    )  # fmt: skip
    axis.spines[:].set_visible(False)
    if picture.kind != "layers":
        axis.set_yticks(*ticks(picture.places))
    if bar and axis.figure is not None:
        beyond = ("min" if values.min() < low else "") + ("max" if values.max() > high else "")
        extend = {"": "neither", "minmax": "both"}.get(beyond, beyond)
        axis.figure.colorbar(image, ax=axis, label=picture.unit, pad=0.01, aspect=12, extend=extend)


def levelled(made: Sequence[Picture]) -> list[Picture]:
    """Pictures of one extractor, ready to draw with one colour scale.

    Rows that are numbered are quantities of their own, such as cepstral coefficients, of which the
    first would drown the others: each is drawn as standard deviations from its mean.
    """
    first = made[0]
    if first.kind != "sequence" or not _numbered(first.places):
        return list(made)
    values = np.concatenate([picture.values for picture in made], axis=1)
    mean, spread = values.mean(1, keepdims=True), values.std(1, keepdims=True)
    spread = np.maximum(spread, max(1e-3 * float(values.std()), 1e-9))  # a constant row is even
    unit = "SD from the row's mean"
    return [replace(p, values=(p.values - mean) / spread, unit=unit) for p in made]


def _numbered(places: Sequence[float] | Sequence[str]) -> bool:
    """Whether rows are just numbered, not at some frequency or pitch."""
    return list(places) == list(range(len(places)))


def value_range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """The values that the colours span: all except a few that are so far out that everything else
    would have one colour."""
    low, quarter, three, high = np.percentile(
        np.concatenate([v.ravel() for v in values]), [0, 25, 75, 100]
    )
    reach = OUTLYING * (three - quarter)
    if reach > 0:
        low, high = max(low, quarter - reach), min(high, three + reach)
    return float(low), float(high)


def _draw_vector(axis: Axes, picture: Picture) -> None:
    numbers = np.arange(len(picture.values))
    if len(numbers) > DENSE:
        axis.plot(numbers, picture.values, color=LIGHT[0], lw=0.7)
    else:
        axis.bar(numbers, picture.values, color=LIGHT[0])
    axis.set_xticks(*ticks(picture.places))
    axis.set(xlabel=picture.axis, ylabel=picture.unit)


def ticks(places: Sequence[float] | Sequence[str]) -> tuple[list[float], list[str]]:
    """Where to put ticks on the row axis, and what to write there.

    Names are written out, all of them if there are few; rising frequencies get round values between
    the rows; other numbers are thinned out.
    """
    count = len(places)
    if count and isinstance(places[0], str):
        step = -(-count // 12)
        return [float(i) for i in range(0, count, step)], [str(p) for p in places[::step]]
    numbers = np.asarray(places, np.float64)
    if count > 1 and not _numbered(places) and (np.diff(numbers) > 0).all():
        inside = [hz for hz in ROUND_HZ if numbers[0] <= hz <= numbers[-1]]
        if len(inside) >= 2:
            return _apart(np.interp(inside, numbers, np.arange(count)), inside, count)
    step = max(1, -(-count // MAX_TICKS))
    step = next((s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500) if s >= step), step)
    shown = range(0, count, step)
    return [float(i) for i in shown], [f"{numbers[i]:g}" for i in shown]


def _apart(where: np.ndarray, values: Sequence[float], count: int) -> tuple[list[float], list[str]]:
    """Ticks from the top down, without those that would overlap the one above."""
    kept: list[tuple[float, str]] = []
    for place, value in zip(where[::-1], values[::-1], strict=True):
        if not kept or kept[-1][0] - place >= MIN_TICK_DISTANCE * count:
            kept.append((float(place), f"{value:,}"))
    return [place for place, _ in kept], [label for _, label in kept]
