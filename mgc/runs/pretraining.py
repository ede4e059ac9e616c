"""What a run's encoder was pre-trained on, and what the licence of its weights forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mgc.plugins.licences import limits
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


#: How a corpus ends of which nobody says what is in it.
UNLISTED = " (not listed)"


def warnings(found: Sequence[Run], *scored_on: str) -> list[str]:
    """One line for each encoder of these runs that has heard the music they are scored on, or may
    have: their own dataset's, or that of another's name and importer."""
    return list(dict.fromkeys(line for run in _singles(found) for line in _warned(run, *scored_on)))


def licences(found: Sequence[Run]) -> list[str]:
    """One line for each encoder of these runs whose weights nobody may use commercially."""
    encoders = [run.record.extractor for run in _singles(found)]
    return list(dict.fromkeys(line for one in encoders for line in limits(one.name, one.licence)))


def notes(found: Sequence[Run], *scored_on: str) -> list[str]:
    """The `warnings`, then the `licences`; members of ensembles are read once for both."""
    singles = list(_singles(found))
    return [*warnings(singles, *scored_on), *licences(singles)]


def _singles(found: Sequence[Run]) -> Iterator[Run]:
    """The runs, and the members of those that are ensembles."""
    for run in found:
        if run.kind == "ensemble":
            yield from _singles([load(str(run.folder / "members" / m)) for m in run.record.members])
        else:
            yield run


def _warned(run: Run, *scored_on: str) -> Iterator[str]:
    dataset, extractor = run.record.dataset, run.record.extractor
    music = scored_on or (dataset.name, dataset.importer)
    known = corpora(*music) & {*extractor.pretrained_on}
    for corpus in sorted(known):
        yield (
            f"{extractor.name} was pre-trained on {corpus}, and {music[0]} seems to be music "
            "of it: its figures are too optimistic."
        )
    unlisted = [c.removesuffix(UNLISTED) for c in extractor.pretrained_on if c.endswith(UNLISTED)]
    if unlisted and not known:
        yield (
            f"{extractor.name} was pre-trained on {' and '.join(unlisted)}, of which no list is "
            f"published: whether {music[0]} is among it cannot be known."
        )
