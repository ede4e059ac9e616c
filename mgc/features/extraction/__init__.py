"""Tracks × extractors → feature store. Each file is decoded once for all extractors.

``jobs`` finds which files need what, ``one_file`` makes one file's features, ``tasks`` is what a
worker process does, ``ray_cluster`` works on a Ray cluster, and ``extract_tracks`` puts the results
into shards, in order.
"""

from mgc.features.extraction.extract_tracks import Extraction, Failure, extract, features_of_each
from mgc.features.extraction.one_file import Rows, features_of

__all__ = ["Extraction", "Failure", "Rows", "extract", "features_of", "features_of_each"]
