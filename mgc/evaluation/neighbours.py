"""Which tracks a run finds most similar to a test track: those nearest in its embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgc.prediction.similar import Neighbour, apart, nearest
from mgc.runs import Run


def neighbours(run: Run, track_ids: Sequence[str], count: int) -> dict[str, list[Neighbour]]:
    """The nearest tracks of each test track, nearest first.

    They are looked for in the space of the model that did not learn from the track, and never
    among tracks of its own group (artist). Tracks that the run did not test are left out.
    """
    found = {}
    for _, table in run.predictions.groupby("fold"):
        tested = table["track_id"].isin(list(track_ids)) & (table["part"] == "test")
        places = np.flatnonzero(tested)
        if not len(places):
            continue
        vectors = run.embeddings[table.index]
        for place, distances in zip(places, apart(vectors, vectors[places]), strict=True):
            others = np.ones(len(table), bool)
            for column in {"track_id", "group"} & set(table):
                others &= (table[column] != table[column].iloc[place]).to_numpy()
            track = str(table["track_id"].iloc[place])
            found[track] = nearest(table, distances, others, count)
    return found
