"""Pooled statistics, against numpy, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats
from sklearn.decomposition import PCA

from mgc.heads import pooling
from mgc.heads.pooling import Pooling, fit_pooling


def sequences(rows: int = 30, count: int = 6, frames: int = 700) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    mixture = np.eye(rows) * 3 + rng.normal(size=(rows, rows)) * 0.3
    return [
        mixture @ rng.normal(size=(rows, frames)) + np.arange(rows)[:, None] for _ in range(count)
    ]


def test_rows_are_whitened_as_by_scikit_learn() -> None:
    clips = sequences()
    fitted = fit_pooling("sequence", clips)
    frames = np.concatenate([clip[:, :: pooling.FRAME_STEP] for clip in clips], axis=1).T
    reference = PCA(whiten=True, svd_solver="full").fit(frames)
    n = len(frames)
    expected = reference.transform(frames) * np.sqrt(n / (n - 1))  # scikit-learn divides by n - 1
    got = (fitted.components @ (frames.T - fitted.mean[:, None])).T
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-3)


def test_at_most_forty_rows_are_kept() -> None:
    assert fit_pooling("sequence", sequences(rows=64)).components.shape == (40, 64)
    assert fit_pooling("sequence", sequences(rows=12)).components.shape == (12, 12)


def test_moments_are_those_of_scipy() -> None:
    rows = np.random.default_rng(1).gamma(2.0, size=(5, 400))
    centred = rows - rows.mean(1, keepdims=True)
    unit = centred / (rows.std(1, keepdims=True) + 1e-6)
    deviation, step, skewness, kurtosis = np.split(pooling.moments(centred, unit), 4)
    np.testing.assert_allclose(deviation, rows.std(1))
    np.testing.assert_allclose(step, np.diff(rows, axis=1).std(1))
    np.testing.assert_allclose(skewness, scipy.stats.skew(rows, axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        kurtosis, scipy.stats.kurtosis(rows, axis=1, fisher=False), rtol=1e-4
    )


def test_correlations_are_those_of_numpy() -> None:
    rows = np.random.default_rng(2).normal(size=(6, 300)).cumsum(0)
    unit = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
    expected = np.corrcoef(rows)[np.triu_indices(6, 1)]
    np.testing.assert_allclose(pooling.correlations(unit), expected, atol=1e-9)


def test_modulations_are_welchs_power_in_bands() -> None:
    rows = np.random.default_rng(3).normal(size=(4, 1024)).cumsum(1)
    centred = rows - rows.mean(1, keepdims=True)
    window = pooling.HANN.astype(np.float64)
    _, power = scipy.signal.welch(
        centred, window=window, nperseg=256, noverlap=128, scaling="spectrum", detrend="constant"
    )
    power *= window.sum() ** 2 / np.r_[1, np.full(127, 2), 1]  # undo scaling and one-sidedness
    bands = np.add.reduceat(power, pooling.BAND_EDGES, axis=1)
    np.testing.assert_allclose(pooling.modulations(centred), np.log(bands).ravel(), rtol=1e-5)


def test_a_slow_and_a_fast_beat_differ_where_they_should() -> None:
    time = np.arange(1024)
    slow, fast = (np.sin(2 * np.pi * time * rate)[None] for rate in (1 / 128, 1 / 4))
    assert pooling.modulations(slow).argmax() < pooling.modulations(fast).argmax()


@pytest.mark.parametrize(("rows", "size"), [(12, 12 * 5 + 66 + 72), (128, 40 * 5 + 190 + 120)])
@pytest.mark.parametrize("frames", [1, 2, 10, 300, 1292])
def test_any_length_gives_the_same_number_of_finite_statistics(
    rows: int, size: int, frames: int
) -> None:
    fitted = fit_pooling("sequence", sequences(rows))
    vector = fitted(np.random.default_rng(4).normal(size=(rows, frames)).astype(np.float16))
    assert vector.shape == (size,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()


def test_silence_and_dead_rows_stay_finite() -> None:
    clips = [np.vstack([clip, np.full((2, clip.shape[1]), -80.0)]) for clip in sequences()]
    fitted = fit_pooling("sequence", clips)
    assert np.isfinite(fitted(np.full((32, 500), -80.0))).all()
    assert np.isfinite(fit_pooling("sequence", [np.zeros((12, 50))])(np.zeros((12, 50)))).all()


def test_statistics_of_rows_do_not_depend_on_their_scale() -> None:
    clips = sequences()
    louder = [clip * 3 + 5 for clip in clips]
    np.testing.assert_allclose(
        np.abs(fit_pooling("sequence", clips)(clips[0])[:30]),
        np.abs(fit_pooling("sequence", louder)(louder[0])[:30]),
        atol=1e-3,
    )


def test_vectors_and_layers_are_laid_flat() -> None:
    layers = np.arange(6, dtype=np.float16).reshape(2, 3)
    assert fit_pooling("layers", [layers])(layers).tolist() == [0, 1, 2, 3, 4, 5]
    assert fit_pooling("vector", [layers[0]])(layers[0]).tolist() == [0, 1, 2]


def test_an_encoders_states_are_pooled_to_their_mean() -> None:
    clips = [clip.astype(np.float16) for clip in sequences(rows=384)]
    fitted = fit_pooling("sequence", clips, "embedding")
    pooled = fitted(clips[0])
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, clips[0].astype(np.float64).mean(1), rtol=1e-5, atol=1e-5)
    assert fit_pooling("layers", [clips[0]], "embedding")(clips[0]).shape == (384 * 700,)


@pytest.mark.parametrize("unit", ["dB", "embedding"])
def test_state_makes_the_same_pooling_again(unit: str) -> None:
    clips = sequences()
    fitted = fit_pooling("sequence", clips, unit)
    again = Pooling("sequence", **fitted.state())
    np.testing.assert_array_equal(again(clips[0]), fitted(clips[0]))
