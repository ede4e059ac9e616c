"""One flipped bit anywhere at home: named, or without effect; never another number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc import runs
from mgc.datasets import named_splits, table
from mgc.datasets.default import chosen_default
from mgc.datasets.quality import listening
from mgc.datasets.quarantine import quarantined
from mgc.ensembling.combination import load_combinations
from mgc.errors import MgcError
from mgc.evaluation.curves import curves
from mgc.features import file_hashes
from mgc.features.store import FeatureStore, stores
from mgc.home import FILES
from mgc.runs.models import model_folders
from mgc.runs.selection import experiment_runs
from mgc.training.fitted_head import restore_head

FLIPS = 256
PLAN = """
name = "study"
dataset = "m"
extractors = ["mfcc", "chroma"]
heads = ["logistic"]
strategies = ["stacking"]
"""


@pytest.fixture
def full_home(mgc: Callable, mgc_home: Path, music: Path, tmp_path: Path) -> Path:
    """A home with everything that commands read numbers from."""
    (tmp_path / "study.toml").write_text(PLAN)
    for line in (
        ("data", "add", "m", music),
        ("data", "use", "m"),
        ("data", "check", "m", "--shortest", "1"),
        ("data", "split", "m", "--as", "other", "--seed", "9"),
        ("experiment", "run", tmp_path / "study.toml"),
        ("fit", "-e", "mfcc", "--head", "mlp", "--set", "epochs=1"),
    ):
        told = mgc(*line)
        assert told.code == 0, told.err
    return mgc_home


def dataset() -> Any:
    found = table.load("m")
    return found.tracks.to_csv(), str(found.root), dict(found.record), quarantined(found).to_csv()


def other_split() -> Any:
    return list(named_splits.use(table.load("m"), "first").tracks["split"])


def features() -> Any:
    read = {}
    for folder, record in stores():
        identity = record["identity"]
        store = FeatureStore(identity["extractor"], identity, folder.parent)
        for sha in store.rows:
            clips = [clip.tobytes() for clip in store.read(sha)]
            read[store.name, sha] = clips, store.origin(sha)
    return read


def scored(*names: str) -> Any:
    read = {}
    for run in map(runs.load, names or runs.names()):
        results = run.predictions.to_csv(), run.embeddings.tobytes()
        # Without their own keys, checksums are unknown and unread: no other number.
        known = {k: v for k, v in run.record.items() if k in vars(run.record) and k != FILES}
        read[run.name] = repr((known, results, [vars(curve) for curve in curves(run)]))
    return read


def models(*names: str) -> Any:
    read: dict[str, Any] = {}
    for run in map(runs.load, names or runs.names()):
        members = sorted((run.folder / "members").glob("*"))
        for one in [runs.load(str(folder)) for folder in members] or [run]:
            heads = [restore_head(folder, "cpu") for folder in model_folders(one)]
            rows, frames = (40, 100) if "mfcc" in one.label else (12, 100)
            clip = np.sin(np.arange(rows * frames, dtype=np.float32)).reshape(rows, frames)
            read[f"{run.name}/{one.name}"] = repr([head.predict([[clip]]) for head in heads])
        learnt = load_combinations(run) if run.kind == "ensemble" else []
        read[run.name] = repr([(made.learnt, made.temperatures, made.pooled) for made in learnt])
    return read


def others() -> Any:
    return chosen_default(), [run.name for run in experiment_runs("study")]


def remembered() -> dict[Any, Any]:
    paths = table.load("m").paths()
    found = listening.recall(paths, codes=True)
    return {
        **file_hashes.known(paths),
        **{str(p): (r, r.codes.tobytes()) for p, r in found.items()},
    }


READERS = {
    "datasets": (dataset, other_split),
    "features": (features,),
    "runs": (scored, models),
    "experiments": (others,),
    "settings.json": (others,),
    "audio-hashes.sqlite": (remembered,),
    "heard.sqlite": (remembered,),
}


def test_one_flipped_bit_is_named_or_without_effect(
    full_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "save", lambda one, *_: one)  # `use` would switch to the other split
    random = np.random.default_rng(0)
    files = sorted(p for p in full_home.rglob("*") if p.is_file() and p.suffix != ".lock")
    first = {read: read() for readers in READERS.values() for read in readers}
    outcomes = dict.fromkeys(("named", "without effect"), 0)
    wrong = []
    for number in range(FLIPS):
        path = files[number % len(files)]
        content = path.read_bytes()
        place, bit = int(random.integers(len(content))), int(random.integers(8))
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        name = path.relative_to(full_home)
        for read in READERS.get(name.parts[0], ()):
            touched = name.parts[1:2] if name.parts[0] == "runs" else ()
            outcome = _outcome(partial(read, *touched), first[read])
            if outcome in outcomes:
                outcomes[outcome] += 1
            else:
                wrong.append((str(name), place, bit, read.__name__, outcome))
        path.write_bytes(content)
    assert wrong == [], "\n".join(map(str, wrong))
    assert outcomes["named"] > FLIPS / 2


def _outcome(read: Callable[[], Any], first: Any) -> str:
    try:
        now = read()
    except MgcError:
        return "named"
    if isinstance(first, Mapping):  # of caches and stores, what is damaged may be missing
        now = {**first, **now} if now.keys() <= first.keys() else now
    return "without effect" if now == first else "another number"
