"""From words to numbers: what a clip's vector is made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from mgc_lyrics.transcription import Transcript

#: The languages in which most recorded songs are sung (and that Whisper tells apart well).
LANGUAGES = (
    "en", "es", "pt", "fr", "de", "it", "nl", "sv", "pl", "ru", "tr", "ar", "hi", "ja", "ko",
    "zh", "id", "el", "ro", "uk",
)  # fmt: skip
FACTS = (
    "probability that somebody sings, the mean over windows",
    "share of windows whose words are believed",
    "words a second, as log(1 + …)",
    "letters a word, the mean",
    "different words, as a share of all words",
    "different pairs of words, as a share of all pairs",
    "the most frequent word's share",
    "how far the text can be compressed, as a ratio",
    "mean log-probability of what was written",
    "probability of the likeliest language",
)
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def vector(windows: Sequence[Transcript], no_speech: float, words: int) -> np.ndarray:
    """The transcripts of a clip's windows → (10 facts, 21 languages, ``words`` hashes) float32."""
    weights = np.array([window.seconds for window in windows])
    weights = weights / weights.sum()
    believed = [window for window in windows if window.heard(no_speech)]
    text = " ".join(window.text for window in believed)
    spoken = language_shares(windows, weights)
    parts = [facts(windows, weights, no_speech, text, spoken), spoken, hashed(text, words)]
    return np.concatenate(parts).astype(np.float32)


def facts(
    windows: Sequence[Transcript],
    weights: np.ndarray,
    no_speech: float,
    text: str,
    spoken: np.ndarray,
) -> np.ndarray:
    """The numbers named in `FACTS`."""
    found = WORD.findall(text.lower())
    pairs = list(pairwise(found))
    seconds = sum(window.seconds for window in windows)
    commonest = Counter(found).most_common(1)
    return np.array(
        [
            weights @ [1 - window.no_speech for window in windows],
            weights @ [float(window.heard(no_speech)) for window in windows],
            np.log1p(len(found) / seconds),
            np.mean([len(word) for word in found]) if found else 0.0,
            len(set(found)) / max(1, len(found)),
            len(set(pairs)) / max(1, len(pairs)),
            commonest[0][1] / len(found) if found else 0.0,
            weights @ [window.repetition for window in windows],
            weights @ [window.confidence for window in windows],
            spoken.max(initial=0.0),
        ]
    )


def language_shares(windows: Sequence[Transcript], weights: np.ndarray) -> np.ndarray:
    """Probability of each of `LANGUAGES`, then of all others; zeros for a model that knows only
    one."""
    rows = []
    for window in windows:
        known = [window.languages.get(code, 0.0) for code in LANGUAGES]
        rows.append([*known, sum(window.languages.values()) - sum(known)])
    return np.asarray(np.clip(weights @ np.array(rows), 0.0, 1.0))


def hashed(text: str, buckets: int) -> np.ndarray:
    """Words and pairs of words in hashed buckets (feature hashing, Weinberger et al. 2009), of
    unit length; zeros if there are no words."""
    made: np.ndarray = _vectorizer(buckets).transform([text]).toarray()[0]
    return made


@lru_cache
def _vectorizer(buckets: int) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=buckets, ngram_range=(1, 2), token_pattern=WORD.pattern, lowercase=True
    )
