"""A whole results table from one file: dataset, extractors, heads, seeds, strategies."""

from mgc.experiment.plan import Plan, Published, read_plan
from mgc.experiment.published import PublishedRow, compare_published, markdown
from mgc.experiment.study import Step, StudyResult, perform, steps

__all__ = [
    "Plan",
    "Published",
    "PublishedRow",
    "Step",
    "StudyResult",
    "compare_published",
    "markdown",
    "perform",
    "read_plan",
    "steps",
]
