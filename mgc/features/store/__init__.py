"""Features on disk: fingerprints, and shards that are either complete or absent.

A store holds what one extractor, with one set of parameters, made from audio *content*: rows are
keyed by a hash of the sound (`mgc.audio.sound_hash`), so that a file that is retagged or moved, or
in a second dataset, is found again. A shard is one safetensors file, one float16 (sequence) or
float32 tensor per clip, named ``<hash>.<clip number>``. Shards of versions before 0.2 are keyed by
the SHA-256 of the file; what belongs to them is noted in a shard without clips.
"""

from mgc.features.store.feature_store import FeatureStore, fingerprint, forget, opened_stores
from mgc.features.store.shards import DamagedShardError, Origin
from mgc.features.store_folders import features_root, stores

__all__ = [
    "DamagedShardError",
    "FeatureStore",
    "Origin",
    "features_root",
    "fingerprint",
    "forget",
    "opened_stores",
    "stores",
]
