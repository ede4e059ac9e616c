"""``--pooled``: the bytes of an ordinary fit, from statistics alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc import runs
from mgc.errors import MgcError
from mgc.features import pruning
from mgc.features.extraction import Failure, features_of_each, worker_count
from mgc.features.extraction.one_file import Heard
from mgc.features.extraction.remote_sources import built, described
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store import opened_stores
from mgc.fitting import fit, pooled, requests
from mgc.fitting.prepared import Prepared, prepare
from mgc.heads.pooling import FrameSums, Pooling, fit_pooling
from mgc.plugins import registry
from mgc.progress import Silent

FIT = ("fit", "--head", "logistic", "-e", "mel")
BOTH = ("-e", "mfcc")


def contents() -> dict[str, bytes]:
    """The bytes of all models, predictions and embeddings."""
    return {
        path.relative_to(runs.runs_home()).as_posix(): path.read_bytes()
        for path in runs.runs_home().rglob("*")
        if path.suffix in (".safetensors", ".parquet", ".skops", ".npy")
    }


def clip_bytes(extractor: str) -> dict[bool, int]:
    """The bytes of one stored clip of an extractor, by whether it is pooled."""
    return {
        "pooled" in store.identity: np.dtype(row.dtype).itemsize * int(np.prod(row.shape))
        for store in opened_stores()
        if store.name == extractor and store.identity.get("pooled") != "bases"
        for row in [next(iter(store.rows[key][0] for key in store.rows))]
    }


@pytest.fixture
def whole(
    mgc: Callable[..., Any], music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bytes]]:
    """Fit in the ordinary way, in a home of its own, then add the same music to the test's own."""

    def make(*words: object) -> dict[str, bytes]:
        with monkeypatch.context() as patch:
            patch.setenv("MGC_HOME", str(tmp_path / "ordinary"))
            assert mgc("data", "add", "m", music).code == 0
            told = mgc(*FIT, *words)
            assert told.code == 0, told.err
            made = contents()
        assert mgc("data", "add", "m", music).code == 0
        return made

    return make


@pytest.mark.parametrize("folds", [0, 3])
def test_the_run_is_that_of_whole_sequences(
    folds: int, whole: Callable[..., Any], mgc: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(*BOTH, "--folds", folds)
    if folds:  # poolings travel to worker processes
        monkeypatch.setattr(worker_count, "MIN_FILES", 1)
    told = mgc(*FIT, *BOTH, "--folds", folds, "--pooled")
    assert told.code == 0, told.err
    assert told.err.count("Pooled: about ") == 1
    assert contents() == expected
    assert len(expected) > 8
    assert clip_bytes("mel") == {True: max(folds, 1) * 510 * 4}
    run = runs.load("m-mel-logistic-1")
    assert run.record.pooled
    told = mgc("predict", run.predictions["path"].iloc[0], "--run", run.name, "--json")
    assert told.code == 0, told.err
    stored = mgc("features", "status", "--json").json
    assert all(row["pooled"] for row in stored if row["extractor"] != "texture")


def test_folds_in_processes_of_their_own(
    whole: Callable[..., Any], mgc: Callable[..., Any]
) -> None:
    expected = whole("--folds", "2")
    assert mgc(*FIT, "--folds", "2", "--pooled", "--jobs", "1").code == 0
    assert contents() == expected
    assert all("pooled" in s.identity for s in opened_stores() if s.name != "texture")


IN_EXTRACTION = """
from mgc.features.extraction import shard_writer
shard_writer.SHARD_TRACKS = 8
real, done = shard_writer.ShardWriter._write, []
def write(self, number):
    real(self, number)
    done.append(number)
    if len(done) == 2:
        os._exit(3)
shard_writer.ShardWriter._write = write
"""
IN_SECOND_FOLD = """
from mgc.heads.logistic import Logistic
real, done = Logistic.fit, []
def fit(self, *given):
    done.append(self)
    if len(done) == 2:
        os._exit(3)
    return real(self, *given)
Logistic.fit = fit
"""


@pytest.mark.parametrize("where", [IN_EXTRACTION, IN_SECOND_FOLD])
def test_a_fit_that_was_killed_is_continued(
    where: str,
    whole: Callable[..., Any],
    mgc: Callable[..., Any],
    mgc_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = whole("--folds", "2")
    words = [*FIT, "--folds", "2", "--pooled"]
    script = f"import os, sys\n{where}\nsys.argv = {['mgc', *words]!r}\n"
    script += "from mgc.cli.app import main\nmain()\n"
    environment = {**os.environ, "MGC_HOME": str(mgc_home)}
    left = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
    assert left.returncode == 3, left.stderr
    monkeypatch.setattr(pooled, "features_of_each", lambda *_: pytest.fail("learnt twice"))
    told = mgc(*words)
    assert told.code == 0, told.err
    assert contents() == expected
    assert ("Continuing run" in told.err) == (where == IN_SECOND_FOLD)


@pytest.mark.parametrize("words", [("-e", "mel", "--head", "cnn"), ("-e", "texture")])
def test_what_cannot_be_kept_pooled_is_refused(
    words: tuple[str, ...], mgc: Callable[..., Any], music: Path
) -> None:
    assert mgc("data", "add", "m", music).code == 0
    told = mgc("fit", *words, "--pooled", "--device", "cpu")
    assert told.code == 2
    assert "Fit this one without --pooled" in told.err
    assert not list(opened_stores())


def asked(**changed: object) -> Any:
    wanted: dict[str, Any] = {"data": None, "extractors": ["mfcc"], "heads": ["logistic"]}
    return requests(**{**wanted, "device": "cpu", "pooled": True, **changed})[0]


def test_poolings_learnt_from_other_files_are_learnt_again(
    whole: Callable[..., Any], mgc: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that could not be read for a moment must not leave a pooling without it."""
    expected = whole("--folds", "2")

    def failing(paths: Any, sources: Any) -> Iterator[Any]:
        for number, made in enumerate(features_of_each(paths, sources)):
            yield (made[0], Failure(Path("a"), "away"), Heard()) if number == 3 else made

    with monkeypatch.context() as patch:
        patch.setattr(pooled, "features_of_each", failing)
        with pytest.raises(MgcError, match="could be used at one time and not at another"):
            fit(asked(extractors=["mel"], folds=2))
    assert mgc(*FIT, "--folds", "2", "--pooled").code == 0
    assert contents() == expected


def test_one_extractor_that_fails_does_not_affect_the_others(
    mgc: Callable[..., Any], music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(paths: Any, sources: Any) -> Iterator[Any]:
        for path, made, heard in features_of_each(paths, sources):
            failed = "mel" in {source.name for source in sources}
            yield path, Failure(path, "mel failed") if failed else made, heard

    assert mgc("data", "add", "m", music).code == 0
    monkeypatch.setattr(pooled, "features_of_each", failing)
    sources = {name: asked(extractors=[name]).source for name in ("mel", "mfcc")}
    [made] = pooled._heard([next(music.rglob("*.wav"))], sources)
    assert list(made) == ["mfcc"]


def test_an_encoders_states_need_no_pooling_to_be_learnt(
    whole: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their mean over time is stored, once for all folds."""
    whole()
    entry, real = registry.find("extractor", "mel"), registry.find
    changed = replace(entry, info=replace(entry.info, unit="embedding"))
    monkeypatch.setattr(registry, "find", lambda *what: changed if "mel" in what else real(*what))
    monkeypatch.setattr(pooled, "features_of_each", lambda *_: pytest.fail("heard twice"))
    request = asked(extractors=["mel"], folds=3)
    [ready] = pooled.prepare_requests({request.features: request}, Silent(), None).values()
    plain: Prepared = prepare(request.dataset, [request.source], Silent())[
        request.source.store.fingerprint
    ]
    assert clip_bytes("mel") == {True: 128 * 4, False: 128 * 130 * 2}
    for fold in ready.folds(3, 0):
        inputs = [one.data_for(fold) for one in (ready, plain)]
        kept, made = (data.inputs(fold.test, data.pooling(fold.training)) for data in inputs)
        np.testing.assert_array_equal(np.stack(kept), np.stack(made))


def test_poolings_travel_to_a_cluster_as_plain_values() -> None:
    rows = np.random.default_rng(1).normal(size=(128, 600))
    poolings = fit_pooling("sequence", [rows]), Pooling.plain("sequence")
    source = ExtractorSpec("mel", poolings=poolings)
    [there] = built(json.loads(json.dumps(described([source], "cpu"))))
    assert there.store.fingerprint == source.store.fingerprint
    for pooling, same in zip(poolings, there.poolings, strict=True):
        np.testing.assert_array_equal(same(rows), pooling(rows))
    assert source.texture.poolings == ()


def test_poolings_are_not_pruned(mgc: Callable[..., Any], music: Path) -> None:
    assert mgc("data", "add", "m", music).code == 0
    assert mgc(*FIT, "--pooled").code == 0
    assert not any(found.tracks for found in pruning.unused(pruning.in_use()))


def test_sums_in_the_order_of_the_clips_give_the_bits_of_all_clips() -> None:
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(30, 200 + n)).astype(np.float16) for n in range(9)]
    sums = FrameSums()
    for clip in clips:
        sums += FrameSums.of(clip)
    assert sums.pooling().digest == fit_pooling("sequence", clips).digest
    frames = np.concatenate([clip[:, ::10] for clip in clips], axis=1).astype(float)
    np.testing.assert_allclose(sums.outer, frames @ frames.T)
    assert sums.count == frames.shape[1]
