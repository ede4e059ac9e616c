"""Pictures of answers over time."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mgc.prediction.timeline import Timeline, clock
from mgc.reporting.colours import LIGHT
from mgc.reporting.plots import STYLE, short

WIDTH, HEIGHT = 7.2, 2.6  # inches: a journal page wide
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
