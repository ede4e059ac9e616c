"""The run folder: names, states, damage, versions."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from mgc import runs
from mgc.errors import MgcError, UsageError
from mgc.runs import identity, state
from mgc.runs.record import SCHEMA

DATASET = {"name": "d", "genres": ["a", "b"], "folds": 0, "split": "1234"}
RECORD = {
    "kind": "single",
    "dataset": DATASET,
    "extractor": {"name": "mel"},
    "head": {"name": "cnn"},
    "seed": 0,
}


def predictions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": ["t2", "t1", "t3"],
            "fold": 0,
            "part": ["test", "test", "validation"],
            "genre": ["a", "b", "a"],
            "p:a": [0.9, 0.2, 0.5],
            "p:b": [0.1, 0.8, 0.5],
        }
    )


@pytest.fixture
def finished(mgc_home: Path) -> runs.Run:
    run = runs.start("d-mel-cnn", RECORD)
    embeddings = np.arange(6, dtype=np.float32).reshape(3, 2)
    return runs.finish(run, predictions(), embeddings, {"metrics": {"test": {"accuracy": 1.0}}})


def test_round_trip(finished: runs.Run) -> None:
    found = runs.load(finished.name)
    assert found.finished
    assert found.label == "mel · cnn"
    rows = found.rows("test")
    assert rows["track_id"].tolist() == ["t1", "t2"]
    assert found.truth(rows).tolist() == [1, 0]
    np.testing.assert_allclose(found.probabilities(rows), [[0.2, 0.8], [0.9, 0.1]])
    np.testing.assert_array_equal(found.embeddings[rows.index], [[2, 3], [0, 1]])
    assert found.record["environment"]["torch"]


@pytest.mark.parametrize("shape", [(50_000, 20), (3, 2), (1, 1), (2, 0)])
def test_embeddings_are_written_without_a_copy(mgc_home: Path, shape: tuple[int, int]) -> None:
    """The bytes that safetensors writes, with two copies of them: 4 GB for a million clips."""
    embeddings = np.random.default_rng(0).standard_normal(shape, np.float32)
    run = runs.start("d-mel-cnn", RECORD)
    tracemalloc.start()
    runs.finish(run, predictions(), embeddings, {"metrics": {}})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.5 * embeddings.nbytes + 1_500_000
    written = (run.folder / "embeddings.safetensors").read_bytes()
    assert written == save({"embeddings": embeddings})


def test_a_run_is_found_by_its_path_too(finished: runs.Run, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    finished.folder.rename(moved)
    assert runs.load(str(moved)).predictions.shape == (3, 6)


def test_names_count_up_and_are_never_taken_twice(mgc_home: Path) -> None:
    assert [runs.start("x", RECORD).name for _ in range(3)] == ["x-1", "x-2", "x-3"]


def test_a_run_that_cannot_begin_leaves_no_folder(
    mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MgcError("No space left on device.")

    with pytest.raises(MgcError):
        runs.start("x", RECORD, full)
    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(MgcError):
        runs.start("x", RECORD)
    assert [*runs.runs_home().iterdir()] == []


def test_unknown_name_suggests_the_nearest(finished: runs.Run) -> None:
    with pytest.raises(UsageError, match="d-mel-cn-1") as caught:
        runs.load("d-mel-cn-1")
    assert "d-mel-cnn-1" in caught.value.hint


def test_an_unfinished_run_says_how_to_go_on(mgc_home: Path) -> None:
    run = runs.start("x", RECORD)
    with pytest.raises(MgcError, match="did not finish") as caught:
        runs.load_finished(run.name)
    assert f"mgc fit --resume {run.name}" in caught.value.hint


def test_a_newer_run_is_refused(finished: runs.Run) -> None:
    record = {**finished.record, "schema": SCHEMA + 1}
    (finished.folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(MgcError, match="newer mgc"):
        runs.load(finished.name)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"kind": "single"}'])
def test_a_damaged_record_is_named(finished: runs.Run, content: str) -> None:
    (finished.folder / "run.json").write_text(content)
    with pytest.raises(MgcError, match="is damaged"):
        runs.load(finished.name)
    others, errors = runs.everything()
    assert others == []
    assert len(errors) == 1


@pytest.mark.parametrize("name", ["predictions.parquet", "embeddings.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"not a table"])
def test_damaged_results_are_named(finished: runs.Run, name: str, content: bytes | None) -> None:
    path = finished.folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    run = runs.load(finished.name)
    with pytest.raises(MgcError, match="is damaged") as caught:
        _ = run.predictions, run.embeddings
    assert f"mgc runs remove {run.name}" in caught.value.hint


def test_a_damaged_run_can_be_removed(finished: runs.Run) -> None:
    (finished.folder / "run.json").unlink()
    with pytest.raises(MgcError, match=r"is damaged.*run\.json"):
        runs.load(finished.name)
    runs.remove(finished.name)
    assert not finished.folder.exists()
    with pytest.raises(UsageError):
        runs.remove(finished.name)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("name", "e", "dataset"),
        ("genres", ["a", "c"], "genres"),
        ("folds", 5, "folds"),
        ("split", "9", "division into splits"),
    ],
)
def test_runs_that_cannot_be_compared(mgc_home: Path, key: str, value: object, word: str) -> None:
    one = runs.start("x", RECORD)
    other = runs.start("y", {**RECORD, "dataset": {**DATASET, key: value}})
    with pytest.raises(UsageError, match=word):
        identity.same_tracks([one, other])
    identity.same_tracks([one, one])


def test_a_run_is_trained_by_one_process_at_a_time(mgc_home: Path) -> None:
    run = runs.start("a", RECORD)
    assert state.state(run) == "interrupted"
    program = (
        "import sys\nfrom mgc import runs\nfrom mgc.runs import state\n"
        "with state.locked(runs.load(sys.argv[1]).folder):\n"
        "    print('kept', flush=True)\n    input()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, run.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == b"kept\n"
    assert state.state(run) == "running"
    with (
        pytest.raises(MgcError, match="is being trained by another process"),
        state.locked(run.folder),
    ):
        pass
    with pytest.raises(MgcError, match="is being trained by another process"):
        runs.remove(run.name)
    assert run.folder.exists()
    other.communicate(b"\n", timeout=20)
    with state.locked(run.folder):
        pass


def test_a_run_says_why_it_failed(mgc_home: Path) -> None:
    run = runs.start("a", RECORD)
    state.fail(run, "The loss is no longer finite.")
    assert state.state(runs.load(run.name)) == "failed"
    with pytest.raises(MgcError, match="failed: The loss is no longer finite"):
        runs.load_finished(run.name)
