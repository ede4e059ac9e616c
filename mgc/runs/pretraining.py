"""Whether a run's encoder was pre-trained on the music that the run is scored on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mgc.runs import Run, load

#: How a word of a dataset's name, or its importer, begins, and the corpus that it stands for.
CORPORA = {
    "fma": "FMA",
    "gtzan": "GTZAN",
    "magna": "MagnaTagATune",
    "mtat": "MagnaTagATune",
    "mtt": "MagnaTagATune",
    "msd": "Million Song Dataset",
    "audioset": "AudioSet",
    "jamendo": "MTG-Jamendo",
}


def corpora(*names: str) -> set[str]:
    """The corpora that a dataset's name, or its importer, stands for."""
    words = [word for name in names for word in re.split("[^a-z]+", name.lower())]
    return {corpus for word in words for key, corpus in CORPORA.items() if word.startswith(key)}


def warnings(found: Sequence[Run]) -> list[str]:
    """One line for each encoder of these runs that has heard the music they are scored on."""
    return list(dict.fromkeys(line for run in found for line in _warnings(run)))


def _warnings(run: Run) -> Iterator[str]:
    if run.kind == "ensemble":
        for member in run.record.members:
            yield from _warnings(load(str(run.folder / "members" / member)))
        return
    dataset, extractor = run.record.dataset, run.record.extractor
    for corpus in sorted(corpora(dataset.name, dataset.importer) & {*extractor.pretrained_on}):
        yield (
            f"{extractor.name} was pre-trained on {corpus}, and {dataset.name} seems to be music "
            "of it: its figures are too optimistic."
        )
