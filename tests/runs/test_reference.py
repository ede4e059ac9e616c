"""What a run keeps of its training music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mgc import runs
from mgc.errors import MgcError
from mgc.fitting import music_reference
from mgc.fitting.music_reference import fit_machine
from mgc.runs.reference import FAR, REFERENCE, Machine, Reference, load_reference

RECORD = {
    "kind": "single",
    "dataset": {"name": "d", "genres": ["a"]},
    "extractor": {"name": "mel"},
    "head": {"name": "svm"},
}


@pytest.fixture
def textures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return random.normal(size=(40, 6)), random.normal(1.5, 2.0, (30, 6))


def reference(held_out: np.ndarray) -> Reference:
    """One whose score is the distance from 0 on one axis."""
    machine = Machine(np.zeros(1), np.ones(1), np.zeros((1, 1)), -np.ones(1), np.array([0.5, 1.0]))
    return Reference([machine], np.sort(held_out), np.array([7], np.uint64), 1)


def test_a_machine_scores_as_scikit_learn_s_does(textures: tuple[np.ndarray, np.ndarray]) -> None:
    music, others = textures
    kinds = np.repeat([0, 1], [25, 5])
    machine = fit_machine(music, others, kinds)
    weights = np.concatenate([np.ones(40), np.full(25, 20 / 25), np.full(5, 20 / 5)])
    rows = np.concatenate([music, others])
    scaler = StandardScaler().fit(rows, sample_weight=weights)
    scaled = np.clip(scaler.transform(rows), -FAR, FAR)
    expected = SVC(C=music_reference.COST, gamma=music_reference.WIDTH / 6)
    expected.fit(scaled, np.arange(70) >= 40, weights)
    np.testing.assert_allclose(machine.score(rows), expected.decision_function(scaled), atol=2e-3)


def test_unlike_is_the_share_of_held_out_tracks_that_are_less_unlike() -> None:
    kept = reference(1 - np.exp(-0.5 * np.arange(200) ** 2 / 1e4))
    assert kept.unlike(np.array([0.0]), 0.01) == (0.0, True)
    assert kept.unlike(np.array([1.005]), 0.01) == (pytest.approx(101 / 200), True)
    assert kept.unlike(np.array([9.0]), 0.01) == (1.0, False)
    assert kept.unlike(np.array([9.0]), 0) == (1.0, True)


def test_what_the_machine_takes_for_music_is_known_unless_more_may_be_lost() -> None:
    machine = Machine(np.zeros(1), np.ones(1), np.zeros((1, 1)), -np.ones(1), np.array([0.5, 0.5]))
    kept = Reference([machine], np.linspace(-0.5, -0.3, 200), np.array([7], np.uint64), 1)
    elsewhere, noise = np.array([1.0]), np.array([1.3])  # scores of -0.11 and 0.07
    for rate, known in ((0.005, True), (0.01, True), (0.02, False), (0.5, False)):
        assert kept.unlike(elsewhere, rate) == (1.0, known)
        assert kept.unlike(noise, rate) == (1.0, False)


@pytest.mark.parametrize(("count", "rate"), [(50, 0.01), (99, 0.01), (100, 0.01), (400, 0.05)])
def test_the_limit_loses_no_more_music_than_it_may(count: int, rate: float) -> None:
    random = np.random.default_rng(count)
    lost = []
    for _ in range(400):
        scores = random.uniform(0.01, 0.99, count + 1)
        kept = reference(scores[1:])
        at = np.sqrt(-2 * np.log(1 - scores[:1]))
        lost.append(not kept.unlike(at, rate)[1])
    allowed = max(rate, 1 / (count + 1))
    assert abs(np.mean(lost) - allowed) < 4 * np.sqrt(allowed / 400)
    assert kept.smallest_rate == 1 / (count + 1)


def test_a_reference_is_read_as_it_was_written(
    textures: tuple[np.ndarray, np.ndarray], mgc_home: Path
) -> None:
    music, others = textures
    machine = fit_machine(music, others, np.zeros(30, int))
    run = runs.start("r", RECORD)
    assert load_reference(run) is None
    Reference([machine], np.arange(5.0), np.array([1, 2**63], np.uint64), 4).save(run.folder)
    found = load_reference(run)
    assert found is not None
    assert found.revision == 4
    np.testing.assert_allclose(found.machines[0].score(others), machine.score(others), atol=1e-4)
    assert found.has_learnt_from("8000000000000000")
    assert not found.has_learnt_from("8000000000000001")


@pytest.mark.parametrize("name", ["held_out", "0.weights", "0.kernel"])
def test_a_damaged_reference_is_named(
    name: str, textures: tuple[np.ndarray, np.ndarray], mgc_home: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    music, others = textures
    run = runs.start("r", RECORD)
    machine = fit_machine(music, others, np.zeros(30, int))
    Reference([machine], np.arange(5.0), np.array([1], np.uint64), 1).save(run.folder)
    arrays = load_file(run.folder / REFERENCE)
    arrays[name] = np.array([3.0, 2.0, 1.0])
    save_file(arrays, run.folder / REFERENCE, {"revision": "1"})
    with pytest.raises(MgcError, match=r"'r-1' is damaged: reference\.safetensors: its arrays"):
        load_reference(run)
    (run.folder / REFERENCE).write_bytes(b"\xff" * 40)
    with pytest.raises(MgcError, match=r"'r-1' is damaged: reference\.safetensors: "):
        load_reference(run)
