"""The steps of `benchmarks.scale`: each runs in a process of its own, on what those before it left.

A step is a function of the number of tracks that returns what is timed; what it prepares is not.
Paths are relative to the current folder, which is one per size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale_files import GENRES, PER_ARTIST, hash_of, hear, make, music_paths

READS = 5_000
FEATURES = 64  # numbers a clip for the head; mfcc's pooled statistics are more
Timed = Callable[[], object]


def files(size: int) -> Timed:
    """Preparation: see `benchmarks.scale_files`."""
    make(size)
    return lambda: None


def add(size: int) -> Timed:
    """``mgc data add`` of a CSV table, with a grouped split."""
    from mgc import datasets

    return lambda: datasets.add("many", "tracks.csv")


def show(size: int) -> Timed:
    """``mgc data show``: the table read and summed up."""
    from mgc import datasets
    from mgc.datasets.summary import summary

    return lambda: summary(datasets.load("many"))


def split(size: int) -> Timed:
    """``mgc data split --group-by artist+album``."""
    from mgc import datasets
    from mgc.datasets import named_splits

    return lambda: named_splits.make(datasets.load("many"), "other", "artist+album", 1)


def folds(size: int) -> Timed:
    """Five folds by artist, as ``mgc fit --folds 5`` makes them."""
    from mgc import datasets
    from mgc.datasets.splits import k_folds

    tracks = datasets.load("many").tracks
    return lambda: k_folds(tracks, 5, "artist", 0)


def check(size: int) -> Timed:
    """``mgc data check`` of files that were all heard before."""
    from mgc import datasets
    from mgc.datasets.quality import checking

    dataset = datasets.load("many")
    hearing = get_context("fork").Process(target=hear, args=(dataset.paths(),))
    hearing.start()  # its memory is not that of the check
    hearing.join()
    assert hearing.exitcode == 0
    return lambda: checking.check(dataset)


def audit(size: int) -> Timed:
    """``mgc data audit`` of files that were all heard before; their codes are random."""
    from mgc import datasets
    from mgc.datasets.quality.audit import audit as audited

    return lambda: audited(datasets.load("many"))


def extract(size: int) -> Timed:
    """``mgc features extract`` of files with known hashes; the extractor costs nothing."""
    from mgc import datasets
    from mgc.features.extraction import extract_tracks
    from mgc.features.extraction.tasks import features_result

    made = features_result([[np.zeros((2, 4), np.float16)]], 30.0, [9, "", 30.0])
    free: Any = lambda sources, task, count, jobs: ((job, made) for job in jobs)  # noqa: E731
    extract_tracks.on_cores = free
    paths = datasets.load("many").paths()
    return lambda: extract_tracks.extract(paths, [_source()], workers=1)


def extract_again(size: int) -> Timed:
    """The same once all is stored."""
    from mgc import datasets
    from mgc.features.extraction import extract

    paths = datasets.load("many").paths()
    return lambda: extract(paths, [_source()], workers=1)


def _source() -> Any:
    from mgc.features.extractor_spec import ExtractorSpec

    return ExtractorSpec("mfcc")


def open_index(size: int) -> Timed:
    """A store opened, one track looked up."""
    store = _source().store
    return lambda: store.rows[hash_of(0)]


def read(size: int) -> Timed:
    """`READS` tracks read at random; the same work for every size."""
    store = _source().store
    names = [hash_of(int(n)) for n in np.random.default_rng(0).integers(0, size, READS)]
    store.rows[names[0]]  # opened
    return lambda: [store.read(name)[0].sum() for name in names]


def fit(size: int) -> Timed:
    """The head logistic on `FEATURES` numbers a track, in memory."""
    from mgc.heads.logistic import Logistic, LogisticParams

    rng = np.random.default_rng(0)
    genres = rng.integers(0, len(GENRES), size)
    features = rng.standard_normal((size, FEATURES), np.float32)
    features += rng.standard_normal((len(GENRES), FEATURES), np.float32)[genres]
    groups = np.arange(size)
    return lambda: Logistic(LogisticParams(), 0).fit(features, genres, groups, len(GENRES))


def compare(size: int) -> Timed:
    """Two runs with a group per `PER_ARTIST` tracks, all scored: figures and paired tests."""
    from mgc.evaluation.compare import compare as compared
    from mgc.evaluation.systems import systems

    runs = [_run(size, number) for number in range(2)]
    return lambda: compared(systems(runs))


def _run(size: int, number: int) -> Any:
    import pandas as pd

    from mgc import runs

    rng = np.random.default_rng(number)
    truth = np.arange(size) % len(GENRES)
    logits = rng.standard_normal((size, len(GENRES)))
    logits[np.arange(size), truth] += 2 + number / 100
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows = pd.DataFrame(shares, columns=[runs.PREFIX + genre for genre in GENRES])
    rows["track_id"] = [f"t{row:07d}" for row in range(size)]
    rows = rows.assign(
        genre=np.array(GENRES)[truth], group=np.arange(size) // PER_ARTIST, fold=0, part="test"
    )
    dataset = {
        "name": "many", "genres": list(GENRES), "tracks": size, "folds": 0, "group_by": "artist",
        "split": "one", "left_out": {},
    }  # fmt: skip
    extractor = {
        "name": f"made-{number}", "distribution": "mgc", "version": "0", "settings": {},
        "identity": {}, "fingerprint": "f" * 64,
    }  # fmt: skip
    head = {"name": "logistic", "params": {}, "training": None}
    record = {
        "kind": "single", "command": ["mgc"], "dataset": dataset, "extractor": extractor,
        "head": head, "seed": 0, "device": "cpu", "failures": [],
    }  # fmt: skip
    run = runs.start(f"many-{number}", record)
    return runs.finish(run, rows, np.zeros((size, 1), np.float32), {"metrics": {}, "seconds": 1.0})


def predict(size: int) -> Timed:
    """``mgc predict -o FILE.jsonl`` with a model that costs nothing."""
    from mgc.prediction.answer_file import AnswerFile

    model, target = _model(), Path("answers.jsonl")

    def work() -> None:
        file = AnswerFile(target, "jsonl", GENRES, {})
        missing = file.missing([*music_paths(size)])
        with file.writing() as add_answer:
            for answer in model.predict_many(missing, workers=1):
                add_answer(answer)

    return work


def predict_again(size: int) -> Timed:
    """The same once all is answered."""
    from mgc.prediction.answer_file import AnswerFile

    def work() -> None:
        file = AnswerFile(Path("answers.jsonl"), "jsonl", GENRES, {})
        assert not file.missing([*music_paths(size)])

    return work


def _model() -> Any:
    from mgc.features.extraction.one_file import Heard
    from mgc.prediction.model import Model
    from mgc.prediction.predictor import BasePredictor

    answer = np.full((1, len(GENRES)), 1 / len(GENRES))

    class Free(BasePredictor):
        name = label = "free"
        sources: Any = ()

        def __init__(self) -> None:
            self.genres = list(GENRES)

        def prepare(self) -> None: ...

        def identity(self) -> dict[str, Any]:
            return {}

        def answers(self, made: Any) -> Any:
            return []

        def by_fold(self, answers: Any) -> np.ndarray:
            return answer

        def features_of_each(self, paths: Any, workers: Any) -> Iterator[Any]:
            return ((path, [], Heard(30.0)) for path in paths)

    return Model(Free())


#: Name in the table → the step; their order is that of the work.
STEPS: dict[str, Callable[[int], Timed]] = {
    "files made": files,
    "data add (CSV)": add,
    "data show": show,
    "data split": split,
    "five folds": folds,
    "data check, all heard": check,
    "data audit, all heard": audit,
    "extract, free extractor": extract,
    "extract, all stored": extract_again,
    "index opened": open_index,
    f"{READS:,} random reads": read,
    f"fit logistic ({FEATURES} numbers)": fit,
    "compare": compare,
    "predict, free model": predict,
    "predict, all answered": predict_again,
}
