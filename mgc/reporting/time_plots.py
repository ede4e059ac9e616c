"""Pictures of answers over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy.signal import stft

from mgc.prediction.explanation import Effect, Explanation, HeardClip
from mgc.prediction.occlusion import N_FFT, QUIET
from mgc.prediction.timeline import Timeline, clock
from mgc.reporting.colours import LIGHT, PICTURE, RIGHT, WRONG
from mgc.reporting.feature_plots import ROUND_HZ
from mgc.reporting.plots import STYLE, drawn, save, short

WIDTH, HEIGHT = 7.2, 2.6  # inches: a journal page wide
SHOWN_DB = 80.0  # below the loudest point of a spectrogram
MIN_HZ = 62.5  # where the axis of frequencies begins
MIN_NAMED = 0.06  # of the width: a shorter segment has no room for its name


def draw_timeline(made: Timeline) -> Figure:
    """Probabilities over time, stacked, with the segments named above them."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axis = figure.subplots()
        colours = [LIGHT[number % len(LIGHT)] for number in range(len(made.genres))]
        steps = np.vstack([made.probabilities, made.probabilities[-1:]])
        axis.stackplot(
            made.edges, np.nan_to_num(steps).T, labels=list(map(short, made.genres)),
            colors=colours, step="post", linewidth=0,
        )  # fmt: skip
        for part in made.segments:
            axis.axvline(part.end, color="black", linewidth=0.5)
            if part.end - part.start >= MIN_NAMED * made.seconds:
                middle = (part.start + part.end) / 2
                name = short(part.genre or "no music", 16)
                axis.text(middle, 1.02, name, ha="center", fontsize=7)
        axis.set(xlim=(0, made.seconds), ylim=(0, 1), xlabel="time", ylabel="probability")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def picture(explanation: Explanation, file: str | os.PathLike[str] | BinaryIO) -> None:
    """Draw what `Model.explain` found into a file: PNG, SVG or PDF by its suffix; into an open
    binary file, PNG."""
    figure = draw_explanation(explanation)
    if isinstance(file, str | os.PathLike):
        save(figure, Path(file))
    else:
        file.write(drawn(figure, "png"))


def draw_explanation(made: Explanation) -> Figure:
    """What is heard as spectrograms, above them the effect of the seconds, beside them that of the
    frequency bands; the most telling seconds are framed."""
    wide = [clip.end - clip.start for clip in made.clips]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2 * HEIGHT), layout="constrained")
        axes = figure.subplots(
            2, len(wide) + 1, sharey="row", squeeze=False,
            width_ratios=[*(0.75 * w / sum(wide) for w in wide), 0.25], height_ratios=[0.3, 0.7],
        )  # fmt: skip
        for clip, (top, below) in zip(made.clips, axes.T, strict=False):
            _draw_clip(below, clip, made)
            inside = [part for part in made.seconds if clip.start <= part.low < clip.end]
            _draw_effects(top, inside)
            top.set(xlim=(clip.start, clip.end), xticks=[])
        axes[0, 0].set_ylabel("speaks for it")
        axes[1, 0].set_ylabel("frequency (Hz)")
        axes[0, -1].set_axis_off()
        heights = [part.high - part.low for part in made.bands]
        middles = [(part.low + part.high) / 2 for part in made.bands]
        effects = [part.effect for part in made.bands]
        colours = [LIGHT[WRONG if effect < 0 else RIGHT] for effect in effects]
        axes[1, -1].barh(middles, effects, heights, color=colours, edgecolor="white")
        axes[1, -1].set(xlabel="speaks for it")
        figure.suptitle(short(f"{made.genre}, {made.probability:.0%}", 60), fontsize=9)
    return figure


def _draw_effects(axis: Axes, parts: Sequence[Effect]) -> None:
    colours = [LIGHT[WRONG if part.effect < 0 else RIGHT] for part in parts]
    starts, effects = [part.low for part in parts], [part.effect for part in parts]
    axis.bar(starts, effects, parts[0].high - parts[0].low, align="edge", color=colours)
    axis.axhline(0, color="black", linewidth=0.5)


def _draw_clip(axis: Axes, clip: HeardClip, made: Explanation) -> None:
    spectrum = stft(clip.wave, clip.rate, nperseg=min(N_FFT, len(clip.wave)))[2]
    levels = 20 * np.log10(np.abs(spectrum) + QUIET)
    axis.imshow(
        levels, origin="lower", aspect="auto", cmap=PICTURE, vmin=levels.max() - SHOWN_DB,
        extent=(clip.start, clip.end, 0, clip.rate / 2),
    )  # fmt: skip
    axis.set(yscale="log", xlabel="time (s)")
    axis.set_yticks(ROUND_HZ, [f"{hz:,}" for hz in ROUND_HZ])
    axis.minorticks_off()
    axis.set_ylim(MIN_HZ, made.bands[-1].high)
    start, end = made.telling
    if clip.start <= start < clip.end:
        axis.axvspan(start, end, fill=False, edgecolor="white", linewidth=1.5)
