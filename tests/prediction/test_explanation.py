"""What decides is found, and only by the model that decides so."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.stats import spearmanr

import mgc
from mgc import fitting
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.errors import AudioError, UsageError
from mgc.prediction.explanation import Explanation
from mgc.prediction.model import Model
from tests.fitting.test_fitting import asked

RATE = 22_050
CARRIES = slice(10, 15)  # the only seconds that carry the genre


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Iterator[dict[str, Model]]:
    """A single run, and ensembles of two by a fixed and by a learning strategy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(tmp_path_factory.mktemp("home")))
        importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
        members = [fitting.fit(asked()), mgc.fit("m", "chroma", "logistic")]
        made = {
            name: mgc.ensemble(name, members).model() for name in ("mean-probability", "stacking")
        }
        yield {"single": mgc.load(members[0].folder), **made}


@pytest.fixture(scope="module")
def spliced() -> tuple[np.ndarray, int]:
    """30 s of ambient music, but for 5 s of metal."""
    wave = synthesise("ambient", 40, 0, seconds=30.0)
    first, last = CARRIES.start * RATE, CARRIES.stop * RATE
    wave[first:last] = synthesise("metal", 41, 0, seconds=5.0)[: last - first]
    return wave.astype(np.float32), RATE


@pytest.fixture(scope="module")
def explained(models: dict[str, Model], spliced: tuple[np.ndarray, int]) -> Explanation:
    return models["single"].explain(spliced, "metal")


def effects(made: Explanation) -> np.ndarray:
    return np.array([part.effect for part in made.seconds])


def found(made: Explanation) -> float:
    """The share of the five strongest seconds that carry the genre; 1/6 by chance."""
    strongest = np.argsort(-effects(made), kind="stable")[:5]
    return float(np.mean((strongest >= CARRIES.start) & (strongest < CARRIES.stop)))


def test_the_seconds_that_carry_the_genre_are_found(explained: Explanation) -> None:
    assert found(explained) >= 0.6
    start, end = explained.telling
    assert (start, end) == pytest.approx((CARRIES.start, CARRIES.stop), abs=1.1)
    wave, rate = soundfile.read(io.BytesIO(explained.telling_wav()))
    assert (len(wave) / rate, rate) == (5.0, RATE)


def test_a_randomised_head_explains_otherwise(
    models: dict[str, Model],
    spliced: tuple[np.ndarray, int],
    explained: Explanation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adebayo et al. (2018): an explanation that is the same without what was learnt is none."""
    [[head]] = models["single"].predictor.heads  # type: ignore[attr-defined]
    learnt = head.estimator.estimator_
    alike, shares = [], []
    for seed in range(3):
        mixed = np.random.default_rng(seed).permutation(learnt.coef_.ravel())
        with monkeypatch.context() as patch:
            patch.setitem(vars(learnt), "coef_", mixed.reshape(learnt.coef_.shape, order="F"))
            other = models["single"].explain(spliced)
        alike.append(abs(spearmanr(effects(explained), effects(other)).statistic))
        shares.append(found(other))
    assert np.mean(alike) < 0.5
    assert np.mean(shares) < 0.5


def test_the_band_that_differs_is_found(models: dict[str, Model]) -> None:
    wave = synthesise("metal", 42, 0, seconds=6.0).astype(np.float32)
    made = models["single"].explain((wave, RATE))
    assert made.genre == "metal"
    edges = [(part.low, part.high) for part in made.bands]
    assert edges[0] == (0, 125)
    assert edges[-1] == (8_000, RATE / 2)
    assert all(a[1] == b[0] for a, b in pairwise(edges))
    assert max(part.effect for part in made.bands) > 0


@pytest.mark.parametrize("name", ["mean-probability", "stacking"])
def test_members_of_an_ensemble(models: dict[str, Model], name: str) -> None:
    wave = synthesise("metal", 44, 0, seconds=3.0).astype(np.float32)
    made = models[name].explain((wave, RATE))
    assert made.probability == pytest.approx(models[name].predict((wave, RATE)).probability)
    assert [view.name for view in made.members] == ["mfcc · logistic", "chroma · logistic"]
    mfcc, chroma = made.members
    alone = models["single"].predict((wave, RATE)).probabilities[made.genre]
    assert mfcc.probability == pytest.approx(alone, abs=1e-6)
    if name == "mean-probability":  # without one of two members, the other decides
        assert mfcc.without == pytest.approx(chroma.probability, abs=1e-6)
        assert chroma.without == pytest.approx(mfcc.probability, abs=1e-6)
    else:
        assert 0 < mfcc.without < 1
        assert mfcc.without != made.probability


def test_short_and_silent_audio(models: dict[str, Model], tmp_path: Path) -> None:
    wave = synthesise("metal", 45, 0, seconds=0.6).astype(np.float32)
    assert len(models["single"].explain((wave, RATE)).seconds) == 6
    assert models["single"].explain((np.zeros(RATE), RATE)).remark == "is digital silence"
    with pytest.raises(AudioError, match="too short"):
        models["single"].explain((wave[:1_000], RATE))
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match=r"bad\.wav"):
        models["single"].explain(tmp_path / "bad.wav")
    with pytest.raises(UsageError, match="No genre of the model is named 'polka'"):
        models["single"].explain((wave, RATE), "polka")
