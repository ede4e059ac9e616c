"""A whole results table from one file: dataset, extractors, heads, seeds, strategies."""

from mgc.experiment.plan import Plan, Published, read_plan
from mgc.experiment.published import Beside, beside, markdown
from mgc.experiment.study import Done, Step, perform, steps

__all__ = [
    "Beside",
    "Done",
    "Plan",
    "Published",
    "Step",
    "beside",
    "markdown",
    "perform",
    "read_plan",
    "steps",
]
