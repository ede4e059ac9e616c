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


def warnings(found: Sequence[Run], *scored_on: str) -> list[str]:
    """One line for each encoder of these runs that has heard the music they are scored on: their
    own dataset's, or that of another's name and importer."""
    return list(dict.fromkeys(line for run in found for line in _warnings(run, *scored_on)))


def _warnings(run: Run, *scored_on: str) -> Iterator[str]:
    if run.kind == "ensemble":
        for member in run.record.members:
            yield from _warnings(load(str(run.folder / "members" / member)), *scored_on)
        return
    dataset, extractor = run.record.dataset, run.record.extractor
    music = scored_on or (dataset.name, dataset.importer)
    for corpus in sorted(corpora(*music) & {*extractor.pretrained_on}):
        yield (
            f"{extractor.name} was pre-trained on {corpus}, and {music[0]} seems to be music "
            "of it: its figures are too optimistic."
        )
