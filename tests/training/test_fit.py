"""A head is fitted on features, predicts, and comes back from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mgc.errors import MgcError, UsageError
from mgc.progress import Silent
from mgc.training.fit import fit_head, held_out_answers
from mgc.training.fitted_head import FittedHead, restore_head
from mgc.training.head_spec import HeadSpec
from mgc.training.loop import update_average
from mgc.training.track_data import TrackData
from tests.tunes import split, track_data

GRADIENT = ("cnn", "attention", "mlp")
ESTIMATORS = ("logistic", "svm", "gradient-boosting")
QUICK = {"epochs": 20, "batch_size": 12, "crop_frames": 48, "precision": "fp32"}


def spec(head: str, **training: Any) -> HeadSpec:
    return HeadSpec(head, {}, {**QUICK, **training} if head in GRADIENT else {})


def fit(
    head: HeadSpec | str, data: TrackData, folder: Path, seed: int = 0, **options: Any
) -> FittedHead:
    train, validation, _ = split(data)
    asked = spec(head) if isinstance(head, str) else head
    return fit_head(
        asked, data, train, validation, seed=seed, device="cpu", folder=folder, **options
    )


def held_out(data: TrackData) -> tuple[list[Any], np.ndarray]:
    test = split(data)[2]
    return [data.features[track] for track in test], data.genres[test]


@pytest.mark.parametrize("head", [*GRADIENT, *ESTIMATORS])
def test_learns_and_comes_back_from_disk_the_same(head: str, tmp_path: Path) -> None:
    data = track_data(tracks=72, clips=2)
    fitted = fit(head, data, tmp_path)
    features, genres = held_out(data)
    probabilities, embeddings = fitted.predict(features)
    assert (probabilities.argmax(1) == genres).mean() >= 0.85
    assert probabilities.dtype == np.float64
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-9)
    stored = fitted.predict_tracks(data, split(data)[2])
    np.testing.assert_array_equal(stored[0], probabilities)
    np.testing.assert_array_equal(stored[1], embeddings)
    again = restore_head(tmp_path, "cpu").predict(features)
    np.testing.assert_array_equal(again[0], probabilities)
    np.testing.assert_array_equal(again[1], embeddings)


@pytest.mark.parametrize("kind", ["vector", "layers"])
@pytest.mark.parametrize("head", ["mlp", "logistic"])
def test_takes_vectors_and_layers(head: str, kind: Any, tmp_path: Path) -> None:
    data = track_data(kind, tracks=96)
    fitted = fit(head, data, tmp_path)
    features, genres = held_out(data)
    assert (fitted.predict(features)[0].argmax(1) == genres).mean() >= 0.8


def test_the_learnt_mixture_prefers_the_layer_that_tells_the_genre(tmp_path: Path) -> None:
    data = track_data("layers", tracks=96)
    fitted: Any = fit(spec("mlp", epochs=60, learning_rate=0.02), data, tmp_path)
    weights = fitted.model.head.layer_scores.detach().softmax(0).numpy()
    assert weights.argmax() == 3


@pytest.mark.parametrize("head", GRADIENT)
def test_same_seed_same_weights_another_seed_others(head: str, tmp_path: Path) -> None:
    data = track_data()
    runs: list[Any] = [
        fit(spec(head, epochs=3), data, tmp_path / str(number), seed)
        for number, seed in enumerate((1, 1, 2))
    ]
    states = [run.model.state_dict() for run in runs]
    assert all((states[0][name] == states[1][name]).all() for name in states[0])
    assert any((states[0][name] != states[2][name]).any() for name in states[0])
    untimed = [[{**row, "seconds": 0} for row in run.history] for run in runs]
    assert untimed[0] == untimed[1]


def test_what_torch_draws_elsewhere_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fit(spec("cnn", epochs=1), track_data(), tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_a_track_gets_the_same_answer_alone_and_among_others(tmp_path: Path) -> None:
    data = track_data(frames=(30, 200))
    fitted = fit(spec("cnn", epochs=2), data, tmp_path)
    features, _ = held_out(data)
    together = fitted.predict(features)[0]
    alone = np.concatenate([fitted.predict([track])[0] for track in features])
    np.testing.assert_allclose(alone, together, atol=1e-6)


@pytest.mark.parametrize("where", ["device", "disk"])
def test_features_on_disk_train_as_on_the_device(where: str, tmp_path: Path) -> None:
    data = track_data(clips=2, frames=(30, 200))
    reference: Any = fit(spec("cnn", epochs=2, features_on="device"), data, tmp_path / "a")
    fitted: Any = fit(spec("cnn", epochs=2, features_on=where), data, tmp_path / "b")
    for name, tensor in reference.model.state_dict().items():
        np.testing.assert_array_equal(tensor, fitted.model.state_dict()[name])


def test_normalisation_is_that_of_the_training_tracks(tmp_path: Path) -> None:
    data = track_data()
    fitted: Any = fit(spec("cnn", epochs=1, normalisation="rows"), data, tmp_path)
    assert fitted.model.basis.shape == (0, 0)
    train = split(data)[0]
    frames = np.concatenate([data.features[t][0] for t in train], axis=1).astype(np.float64)
    np.testing.assert_allclose(fitted.model.mean[:, 0], frames.mean(1), atol=1e-5)
    np.testing.assert_allclose(fitted.model.scale[:, 0], frames.std(1), rtol=1e-5)


def test_whitened_rows_are_uncorrelated_over_the_training_tracks(tmp_path: Path) -> None:
    data = track_data(features=50)
    for clips in data.features:
        clips[0][1] = clips[0][0] * 2  # two rows that say the same
    fitted: Any = fit(spec("cnn", epochs=1, normalisation="whitening"), data, tmp_path)
    assert fitted.facts.shape.features == 40
    every_tenth = [data.features[t][0][:, ::10] for t in split(data)[0]]
    frames = np.concatenate(every_tenth, axis=1)
    white = fitted.model.normalise(torch.from_numpy(frames)[None])[0].numpy()
    np.testing.assert_allclose(np.cov(white), np.eye(40), atol=0.01)


def test_tracks_outside_the_split_change_nothing(tmp_path: Path) -> None:
    data = track_data()
    test = split(data)[2]
    other = [
        clips if t not in test else [c * 100 for c in clips]
        for t, clips in enumerate(data.features)
    ]
    changed = TrackData(data.kind, other, data.genres, data.groups, data.n_genres)
    for head in ("mlp", "logistic"):
        a = fit(head, data, tmp_path / f"{head}-a").predict(data.features[:4])
        b = fit(head, changed, tmp_path / f"{head}-b").predict(data.features[:4])
        np.testing.assert_array_equal(a[0], b[0])


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    data = track_data(strength=0.3)
    fitted: Any = fit(
        spec("mlp", epochs=80, patience=5, learning_rate=0.02, mixup=0, label_smoothing=0),
        data,
        tmp_path,
    )
    losses = [row["validation_loss"] for row in fitted.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 5 < 80
    validation = split(data)[1]
    probabilities, _ = fitted.predict([data.features[t] for t in validation])
    right = probabilities[np.arange(len(validation)), data.genres[validation]]
    assert -np.log(right).mean() == pytest.approx(losses[best], abs=1e-5)


def test_without_validation_tracks_the_last_epoch_is_kept(tmp_path: Path) -> None:
    data = track_data()
    none = np.array([], dtype=int)
    fitted: Any = fit_head(
        spec("mlp", epochs=3), data, split(data)[0], none, seed=0, device="cpu", folder=tmp_path
    )
    assert [row["epoch"] for row in fitted.history] == [1, 2, 3]
    assert "validation_loss" not in fitted.history[0]


def test_every_epoch_is_told_and_written_down(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []

    class Told(Silent):
        def epoch(self, row: Any) -> None:
            rows.append(dict(row))

    fitted: Any = fit(spec("mlp", epochs=4, patience=0), track_data(), tmp_path, progress=Told())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert all(row["epochs"] == 4 for row in rows)
    assert {"train_loss", "validation_loss", "validation_accuracy", "validation_f1"} < set(rows[0])
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == fitted.history


@pytest.mark.parametrize("head", ["cnn", "mlp", "logistic"])
def test_features_that_are_not_finite_are_refused(head: str, tmp_path: Path) -> None:
    data = track_data()
    data.features[3][0].flat[7] = np.nan
    with pytest.raises(MgcError, match="not finite"):
        fit(head, data, tmp_path)


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="loss is no longer finite in epoch"):
        fit(spec("mlp", learning_rate=1e30, gradient_clip=0), track_data(), tmp_path)
    assert not (tmp_path / "head.json").exists()


def test_a_head_whose_code_fails_is_named_with_its_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.heads.mlp import Mlp

    def embed(self: Any, features: Any, lengths: Any) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Mlp, "embed", embed)
    with pytest.raises(
        MgcError, match=r"Head 'mlp' \(mgc \S+\) failed in fit: RuntimeError: mat1"
    ) as caught:
        fit("mlp", track_data(), tmp_path)
    assert caught.value.hint == "Run: mgc plugins check mlp"


def test_a_head_that_cannot_take_the_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'cnn' takes sequence, not vector") as caught:
        fit("cnn", track_data("vector"), tmp_path)
    assert "--head" in caught.value.hint


def test_an_empty_training_split_is_refused(tmp_path: Path) -> None:
    none = np.array([], dtype=int)
    with pytest.raises(MgcError, match="no tracks in the training part"):
        fit_head(spec("cnn"), track_data(), none, none, seed=0, device="cpu", folder=tmp_path)


@pytest.mark.parametrize("head", ["cnn", "attention", "mlp", *ESTIMATORS])
def test_one_training_track_is_enough(head: str, tmp_path: Path) -> None:
    data = track_data()
    one, none = np.array([4]), np.array([], dtype=int)
    asked = HeadSpec(head, {}, {"epochs": 1} if head in GRADIENT else {})
    fitted = fit_head(asked, data, one, none, seed=0, device="cpu", folder=tmp_path)
    probabilities, _ = fitted.predict([data.features[0]])
    assert np.isfinite(probabilities).all()
    assert probabilities.shape == (1, 3)


def test_class_weights_help_the_rare_genre(tmp_path: Path) -> None:
    data = track_data(tracks=240, strength=0.25)
    train, validation, test = split(data)
    rare = data.genres == 2
    train = np.array([t for t in train if not rare[t] or t % 30 == 2])
    share = {}
    for weights in ("none", "balanced"):
        asked = spec("mlp", epochs=15, patience=0, class_weights=weights)
        fitted = fit_head(
            asked, data, train, validation, seed=0, device="cpu", folder=tmp_path / weights
        )
        probabilities, _ = fitted.predict([data.features[t] for t in test])
        share[weights] = probabilities[:, 2].mean()
    assert share["balanced"] > 1.5 * share["none"]


def test_the_average_of_weights_is_what_is_kept(tmp_path: Path) -> None:
    data = track_data()
    plain: Any = fit(spec("mlp", epochs=3, patience=0), data, tmp_path / "a")
    averaged: Any = fit(spec("mlp", epochs=3, patience=0, ema=0.9), data, tmp_path / "b")
    a, b = (f.model.state_dict()["head.output.weight"] for f in (plain, averaged))
    assert 0 < (a - b).abs().max() < 0.5


def test_the_average_follows_the_weights_from_the_first_steps() -> None:
    """A weight that jumps from 0 to 1 at the first step: near 1 long before 1 / (1 - decay)."""
    averages, ones = [torch.zeros(3)], [torch.ones(3)]
    for count in range(1, 31):
        update_average(0.99, averages, ones, count)
    assert averages[0].min() > 0.99  # (9! 31!) / (40!) of the first is left
    later = [torch.zeros(3)]
    update_average(0.99, later, ones, 10_000)
    torch.testing.assert_close(later[0], torch.full((3,), 0.01))


@pytest.mark.parametrize("head", ESTIMATORS)
def test_an_estimator_learns_from_validation_tracks_but_its_first_fit_answers_them(
    head: str, tmp_path: Path
) -> None:
    data = track_data("vector", tracks=72, clips=2, dtype=np.float32)
    train, validation, test = split(data)
    none = np.array([], int)

    def fitted_on(tracks: np.ndarray, held_out: np.ndarray, folder: str) -> FittedHead:
        path = tmp_path / folder
        return fit_head(spec(head), data, tracks, held_out, seed=0, device="cpu", folder=path)

    made = fitted_on(train, validation, "made")
    found = held_out_answers(tmp_path / "made")
    first = fitted_on(train, none, "first").predict_tracks(data, validation)[0]
    np.testing.assert_array_equal(found, first)
    whole = fitted_on(np.concatenate([train, validation]), none, "whole")
    for fitted in (made, restore_head(tmp_path / "made", "cpu")):
        for one, other in zip(
            fitted.predict_tracks(data, test), whole.predict_tracks(data, test), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(made.predict_tracks(data, validation)[0], first)
    assert held_out_answers(tmp_path / "first") is None
    fitted_on(train, none, "made")
    assert held_out_answers(tmp_path / "made") is None


def test_answers_to_held_out_tracks_that_have_changed_are_damaged(tmp_path: Path) -> None:
    fit("logistic", track_data(tracks=48), tmp_path)
    with (tmp_path / "held_out.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"?")
    with pytest.raises(MgcError, match=r"held_out\.safetensors has changed"):
        fit("logistic", track_data(tracks=48), tmp_path, resume=True)


def test_a_gradient_head_learns_from_the_training_tracks_alone(tmp_path: Path) -> None:
    fit(spec("mlp", epochs=1), track_data(tracks=48), tmp_path)
    assert held_out_answers(tmp_path) is None
    assert spec("mlp").learns == ["training"]
    assert spec("svm").learns == ["training", "validation"]
