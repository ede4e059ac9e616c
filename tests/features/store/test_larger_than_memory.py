"""A head is trained on a store three times as large as the memory that it may have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from mgc.features.store import FeatureStore
from tests.features.store.test_feature_store import IDENTITY

LIMIT_MB = 128
SHAPE = (128, 1_292)

#: Limits what the process may have for itself (RLIMIT_DATA; maps of files do not count), fits a
#: head on all tracks, then shows that the same data do not fit into the memory that it had.
RUN = """
import resource, sys
from pathlib import Path
import numpy as np
import torch
from mgc.features.store import FeatureStore
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import TrackData
from tests.features.store.test_feature_store import IDENTITY
from tests.tunes import split, track_data

torch.set_num_threads(1)
settings = {"epochs": 1, "batch_size": 8, "crop_frames": 64, "features_on": "disk"}
spec = HeadSpec("cnn", training_settings=settings)

class Features:
    def __init__(self, store):
        self.store, self.keys = store, sorted(store.rows)
    def __len__(self):
        return len(self.keys)
    def __getitem__(self, track):
        return self.store.read(self.keys[track])

def fit(data, folder):
    train, validation, _ = split(data)
    return fit_head(spec, data, train, validation, seed=0, folder=folder, device="cpu")

home = Path(sys.argv[1])
fit(track_data(features=128, frames=(300, 301)), home / "warm")  # everything is imported now
status = Path("/proc/self/status").read_text().split()
mine = int(status[status.index("VmData:") + 1]) * 1024
limit = mine + int(sys.argv[2]) * 1_000_000
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
features = Features(FeatureStore("mel", IDENTITY, home))
labels = np.arange(len(features)) % 2
data = TrackData("sequence", features, labels, np.arange(len(features)), 2)
fit(data, home / "head")
try:
    everything = [np.array(features[track][0]) for track in range(len(features))]
except MemoryError:
    print("trained")
"""


def test_training_on_more_than_memory(tmp_path: Path) -> None:
    store = FeatureStore("mel", IDENTITY, tmp_path)
    rng = np.random.default_rng(0)
    clip = rng.standard_normal(SHAPE).astype(np.float16)
    count = 3 * LIMIT_MB * 1_000_000 // clip.nbytes + 1
    for start in range(0, count, 32):
        store.write_shard(
            {f"{n:064x}": [clip + np.float16(n % 2)] for n in range(start, min(start + 32, count))}
        )
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), str(LIMIT_MB)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.split() == ["trained"]
