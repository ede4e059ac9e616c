"""Features on a device that this process feeds: here the CPU by another of its names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mgc.audio.clip_policy import ClipPolicy
from mgc.features.extraction import extract, extract_tracks, features_of, gpu
from mgc.features.extractor_spec import ExtractorSpec
from tests.features.extraction.hostile import NAN, RAISE, hostile, told
from tests.features.extraction.test_extract import POLICY, shards
from tests.sounds import album, music, write

__all__ = ["hostile"]


def sources(*names: str, policy: ClipPolicy = POLICY) -> list[ExtractorSpec]:
    """As ``cuda`` would be: anything but ``cpu`` goes the way of a GPU."""
    return [ExtractorSpec(name, policy=policy, device="cpu:0") for name in names]


@pytest.fixture(autouse=True)
def _home(mgc_home: Path) -> None:
    pass


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = album(tmp_path, 11, seconds=1.0)
    write(made[2], music(3.3, seed=50))
    write(made[6], music(0.4, seed=51))
    made[4].write_text("no music")
    made[8].write_bytes(made[1].read_bytes())
    return made


@pytest.mark.parametrize("workers", [1, 2])
def test_the_numbers_are_those_of_the_cpu(
    paths: list[Path], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_tracks, "SHARD_TRACKS", 4)
    monkeypatch.setattr(gpu, "BATCH_SAMPLES", 40_000)
    both = [*sources("mel", "chroma"), ExtractorSpec("mel", {}, ClipPolicy(0.5, 2), "cpu:0")]
    done = extract(paths, both, workers=workers)
    assert (done.made, done.found, [f.path for f in done.failures]) == (9, 1, [paths[4]])
    for path in set(paths) - {paths[4]}:
        for source in both:
            [expected] = features_of(path, [source]).values()
            stored = source.store.read(done.hashes[path])
            assert [clip.shape for clip in stored] == [clip.shape for clip in expected]
            for one, other in zip(stored, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_batches_do_not_depend_on_the_workers(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for workers in (1, 2):
        monkeypatch.setenv("MGC_HOME", str(tmp_path / f"home {workers}"))
        extract(paths, sources("mel"), workers=workers)
        made.append(shards(sources("mel")))
    assert made[0] == made[1]


def test_batches_hold_several_files_and_end_with_the_shard(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    padded = gpu.padded

    def noting(waves: list[np.ndarray], *rest: object) -> object:
        sizes.append(len(waves))
        return padded(waves, *rest)

    monkeypatch.setattr(gpu, "padded", noting)
    monkeypatch.setattr(extract_tracks, "SHARD_TRACKS", 4)
    extract(paths, sources("mel", "chroma"), workers=1)  # one batch serves both
    assert sizes == [6, 3, 2]  # files 0 to 3 (one of three clips); 5 to 7; 9 and 10 (8 is a copy)


def test_a_file_that_fails_does_not_take_its_batch_along(tmp_path: Path, hostile: str) -> None:
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(6)]
    told(paths[1], RAISE)
    told(paths[4], NAN)
    done = extract(paths, sources(hostile), workers=1)
    assert done.made == 4
    assert [failure.path for failure in done.failures] == [paths[1], paths[4]]
    assert "ZeroDivisionError: as told" in done.failures[0].reason
    assert "not finite" in done.failures[1].reason


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
def test_a_real_gpu(paths: list[Path]) -> None:
    on_gpu = [
        ExtractorSpec(name, policy=POLICY, device="cuda") for name in ("mel", "mfcc", "chroma")
    ]
    done = extract(paths, on_gpu, workers=2)
    assert done.made == 9
    for path in set(paths) - {paths[4]}:
        for source in on_gpu:
            [expected] = features_of(path, [ExtractorSpec(source.name, policy=POLICY)]).values()
            for one, other in zip(source.store.read(done.hashes[path]), expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=5e-3, atol=5e-2)
