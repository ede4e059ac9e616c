"""Features on disk: fingerprints, and shards that are either complete or absent.

A store holds what one extractor, with one set of parameters, made from audio *content*: rows are
keyed by the SHA-256 of the file, so a moved file or a second dataset finds them again. A shard is
one safetensors file, one float16 (sequence) or float32 tensor per clip, named
``<sha-256>.<clip number>``.
"""

from mgc.features.store.feature_store import FeatureStore, fingerprint, forget
from mgc.features.store.shards import DamagedShardError, Origin
from mgc.features.store_folders import features_root, stores

__all__ = [
    "DamagedShardError",
    "FeatureStore",
    "Origin",
    "features_root",
    "fingerprint",
    "forget",
    "stores",
]
