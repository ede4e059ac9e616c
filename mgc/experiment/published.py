"""The results of an experiment compared with published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mgc.evaluation.compare import Comparison
from mgc.evaluation.compare_text import interval, percent
from mgc.evaluation.text_tables import Table, markdown_lines, pipes_escaped
from mgc.experiment.plan import Plan, Published


@dataclass(frozen=True)
class PublishedRow:
    """One line: a published figure, our row, or both.

    ``row`` is a row of `mgc.evaluation.compare`; accuracies in it are in [0, 1], published ones
    in percent.
    """

    published: Published | None
    row: dict[str, Any] | None

    @property
    def difference(self) -> float | None:
        """Our accuracy minus the published one, in points."""
        if self.published is None or self.row is None:
            return None
        return 100 * float(self.row["accuracy"]) - self.published.accuracy

    @property
    def cells(self) -> list[str]:
        """The published name, accuracy (%) and protocol, then our name, accuracy (%), interval,
        difference (points) and F1; "" for what there is not."""
        one, row, points = self.published, self.row, self.difference
        theirs = [one.name, f"{one.accuracy:g}", one.protocol] if one else [""] * 3
        if row is None:
            return theirs + [""] * 5
        ours = [row["name"], percent(row["accuracy"]), interval(row)]
        return [*theirs, *ours, "" if points is None else f"{points:+.1f}", f"{row['f1']:.3f}"]


def compare_published(plan: Plan, made: Comparison) -> list[PublishedRow]:
    """Published figures in the file's order, each with our row, then our other rows, the best
    first."""
    rows = {row["name"]: row for row in made.rows}
    lines = [PublishedRow(one, rows.get(one.row)) for one in plan.published]
    shown = {one.row for one in plan.published}
    return lines + [PublishedRow(None, row) for name, row in rows.items() if name not in shown]


def markdown(lines: Sequence[PublishedRow]) -> list[str]:
    """The side-by-side table as Markdown lines."""
    columns = ["published", "accuracy %", "protocol", "here", "accuracy %", "95 % interval"]
    rows = [line.cells for line in lines]
    return markdown_lines(Table("", [*columns, "points", "F1"], rows, "lrllrcrr"), pipes_escaped)
