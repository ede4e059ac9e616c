"""The conformance checks: does a plug-in keep the contract, and if not, how can it be fixed?

`checks` yields small checks for any extractor, head or strategy; ``mgc plugins check NAME`` runs
them, and so does pytest:

.. code-block:: python

    from mgc.checks import parametrize

    @parametrize("loudness")
    def test_conformance(check):
        check()
"""

from mgc.checks.base import Check, NotApplicable, Outcome, Problem, Subject
from mgc.checks.runner import checks, parametrize, subjects, verdicts

__all__ = [
    "Check",
    "NotApplicable",
    "Outcome",
    "Problem",
    "Subject",
    "checks",
    "parametrize",
    "subjects",
    "verdicts",
]
