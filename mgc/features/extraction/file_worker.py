"""What a worker process loads: torch too, which the process that hands files out does without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mgc.features.extraction.remote_sources import isolating
from mgc.features.extraction.tasks import Task, Work


def answering(sources: Sequence[Mapping[str, Any]], task: Task) -> Callable[[Any], dict[str, Any]]:
    """Set up a worker process: sources as `described` → the function that answers requests."""
    if not all(source["is_built_in"] for source in sources):
        import torch  # noqa: F401 - once, before processes are forked: most packages need it
    made, run = isolating(sources)
    work = Work(made, task, run)
    return lambda request: vars(work(Path(request["path"]), request["wanted"]))
