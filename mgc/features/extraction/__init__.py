"""Tracks × extractors → feature store. Each file is decoded once for all extractors.

``plan`` says which files need what, ``features`` makes one file's features, ``pool`` does so on
all cores and ``cluster`` on a Ray cluster, ``run`` puts the results into shards, in order.
"""

from mgc.features.extraction.extract_tracks import Extraction, Failure, extract, features_of_each
from mgc.features.extraction.one_file import Rows, features_of, rows_of

__all__ = [
    "Extraction",
    "Failure",
    "Rows",
    "extract",
    "features_of",
    "features_of_each",
    "rows_of",
]
