"""Rows of ``benchmarks.accuracy`` that pool otherwise, made again from stored features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from unittest.mock import patch

import numpy as np

from benchmarks.variants import Fold, Variant, logistic
from mgc import resolve
from mgc.fitting.prepared import Prepared, prepare
from mgc.heads import pooling
from mgc.heads.logistic import Logistic, LogisticParams
from mgc.progress import Silent

Learn = Callable[[Sequence[np.ndarray]], pooling.Pooling]


@cache
def prepared(data: str, extractor: str) -> Prepared:
    """A dataset's stored features."""
    (source,) = resolve.sources([extractor], [], resolve.policy(None, None), "cpu")
    return prepare(resolve.dataset(data), [source], Silent())[source.store.fingerprint]


def whitened(components: int) -> Learn:
    """The pooling of mgc with so many whitened rows (fewer, if the feature has fewer)."""

    def learn(clips: Sequence[np.ndarray]) -> pooling.Pooling:
        with patch.object(pooling, "COMPONENTS", components):
            return pooling.fit_pooling("sequence", clips)

    return learn


def plain(clips: Sequence[np.ndarray]) -> pooling.Pooling:
    """Statistics of the feature's own rows."""
    rows = len(clips[0])
    return pooling.Pooling("sequence", np.zeros(rows, np.float32), np.eye(rows, dtype=np.float32))


def pooled_again(learn: Learn, coefficients: int | None = None, least: int = 1) -> Variant:
    """The default head on statistics by another pooling, of the feature's first ``coefficients``
    rows (of MFCC alone). Raises ValueError for a feature without them, or with fewer than ``least``
    rows."""

    def variant(fold: Fold) -> np.ndarray:
        data, extractor = fold.source
        if coefficients and extractor != "mfcc":
            raise ValueError(f"{extractor} has no coefficients")
        found = prepared(data, extractor)
        if found.data.kind != "sequence" or found.data.unit == pooling.EMBEDDING:
            raise ValueError(f"{extractor} has no pooled statistics")
        names = found.kept["track_id"].to_numpy()
        rows = slice(coefficients)
        clips = {n: [c[rows] for c in found.data.features[at]] for at, n in enumerate(names)}
        if len(clips[names[0]][0]) < least:
            raise ValueError(f"{extractor} has fewer than {least} rows")
        assert fold.alone is not None
        made = learn([clip for name in fold.alone.tracks for clip in clips[name]])
        pooled = {n: np.mean([made(clip) for clip in each], axis=0) for n, each in clips.items()}
        return logistic(_standardised(fold, pooled))

    return variant


def _standardised(fold: Fold, pooled: Mapping[str, np.ndarray]) -> Fold:
    """The fold with other statistics of each track, as the head standardises them."""
    train, test = (
        np.stack([pooled[name] for name in part.tracks]) for part in (fold.train, fold.test)
    )
    head = Logistic(LogisticParams(), fold.seed)
    head.mean_, deviation = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    head.scale_ = np.where(deviation > 1e-9, deviation, 1.0)
    parts = [
        replace(part, features=head.embed(vectors))
        for part, vectors in ((fold.train, train), (fold.test, test))
    ]
    return replace(fold, train=parts[0], test=parts[1])


POOLED_AGAIN: dict[str, Variant] = {
    "20 whitened rows instead of 40": pooled_again(whitened(20), least=21),
    "80 whitened rows": pooled_again(whitened(80), least=41),
    "not whitened": pooled_again(plain),
    "20 coefficients instead of 40": pooled_again(whitened(pooling.COMPONENTS), coefficients=20),
    "13 coefficients": pooled_again(whitened(pooling.COMPONENTS), coefficients=13),
}
