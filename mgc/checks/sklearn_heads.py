"""Checks of an estimator head: fit, predict_proba, embed, save, restore."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mgc.checks import require
from mgc.checks.base import Problem, Subject
from mgc.checks.toy_data import GENRES, Vectors, vectors
from mgc.home import temporary_folder

LEARNT = 0.7  # of held-out clips right; chance is a third, and the best possible 0.96


def fitted(subject: Subject, data: Vectors) -> Any:
    """A head, fitted on vectors."""
    return subject.implementation(subject.params, 0).fit(*data, GENRES)


def answer(head: Any, data: Vectors, what: str = "predict_proba") -> np.ndarray:
    """A fitted head's probabilities, checked."""
    got = head.predict_proba(data.features)
    return require.probabilities(got, len(data.features), GENRES, what)


def check_methods(subject: Subject) -> None:
    """The estimator head has all its methods."""
    for method in ("fit", "predict_proba", "embed", "save", "restore"):
        mend = f"write def {method}(self, …), or inherit it from mgc.heads.estimator.ScikitHead"
        require.method(subject, method, mend)


def check_fit_returns_self(subject: Subject) -> None:
    """The method fit returns the head itself."""
    head = subject.implementation(subject.params, 0)
    require.fit_returned_self(head.fit(*vectors(), GENRES), head)


def check_probabilities(subject: Subject) -> None:
    """Rows are probabilities, for many clips and for one."""
    head = fitted(subject, vectors())
    answer(head, vectors(1))
    answer(head, vectors(1, count=1), "one clip")


def check_learns(subject: Subject) -> None:
    """The head tells three clouds of points apart."""
    test = vectors(1)
    require.learnt(
        answer(fitted(subject, vectors()), test),
        test.genres,
        LEARNT,
        "held-out clips (three well-separated genres)",
        "standardise the features inside the head (they come raw), and let column g of "
        "predict_proba be genre number g",
    )


def check_same_twice(subject: Subject) -> None:
    """The same seed gives the same head."""
    one, other = (answer(fitted(subject, vectors()), vectors(1)) for _ in range(2))
    _same(one, other, "the same seed, the same numbers", "hand self.seed on as random_state")


def check_refit_forgets(subject: Subject) -> None:
    """A second fit forgets the first."""
    head = fitted(subject, vectors(2).without(0))
    again = answer(head.fit(*vectors(), GENRES), vectors(1))
    fresh = answer(fitted(subject, vectors()), vectors(1))
    mend = "build everything again in fit; keep nothing but params and seed from __init__"
    _same(fresh, again, "a head fitted twice equals one fitted once on the same", mend)


def check_genre_absent_from_training(subject: Subject) -> None:
    """A genre without training clips still has its column."""
    for absent in range(GENRES):
        head = fitted(subject, vectors().without(absent))
        got = answer(head, vectors(1), f"training without genre {absent}")
        others = np.delete(got, absent, axis=1).max(1)
        share = (got[:, absent] > others).mean()
        if share > 0.1:
            raise Problem(
                f"genre {absent}, which the training lacks, is hardly ever the likeliest",
                f"it is for {share:.0%} of the clips",
                "put the columns of the library's answer where its classes_ say",
            )


def check_one_genre(subject: Subject) -> None:
    """Training with a single genre does not fail."""
    only = vectors().without(0).without(1)
    answer(fitted(subject, only), vectors(1), "training with one genre only")


def check_constant_feature(subject: Subject) -> None:
    """A feature that never changes gives finite numbers."""
    data = vectors()
    data.features[:, 3] = 5.0
    answer(fitted(subject, data), vectors(1), "a feature that is constant in training")


def check_outlier(subject: Subject) -> None:
    """A clip far from all others gives finite numbers."""
    far = vectors(1)
    far.features[0] = 1e9
    answer(fitted(subject, vectors()), far, "a clip a billion deviations away")


def check_embedding(subject: Subject) -> None:
    """An embedding is one finite row per clip, the same each time."""
    head, test = fitted(subject, vectors()), vectors(1)
    got = np.asarray(head.embed(test.features))
    if got.ndim != 2 or len(got) != len(test.features) or not got.shape[1]:
        raise Problem("an embedding (clip, dimension)", f"shape {got.shape}", "one row per clip")
    require.finite(got, "an embedding", "standardise with a guarded scale")
    again = np.asarray(head.embed(test.features))
    _same(got, again, "the same embedding again", "draw no random numbers in embed")


def check_input_is_left_alone(subject: Subject) -> None:
    """Neither fit nor predict_proba nor embed changes its arguments."""
    data = vectors()
    with require.unchanged(data._asdict(), "work on a copy"):
        head = fitted(subject, data)
        head.predict_proba(data.features)
        head.embed(data.features)


def check_save_and_restore(subject: Subject) -> None:
    """A restored head answers like the saved one, and the file is not a pickle."""
    head, test = fitted(subject, vectors()), vectors(1)
    with temporary_folder() as folder:
        path = folder / "head"
        head.save(path)
        if not path.is_file():
            wanted = "save writes the file it is given"
            raise Problem(wanted, "no such file", "write to path itself")
        _no_pickle(path)
        back = subject.implementation(subject.params, 0).restore(path)
    if back is None:
        raise Problem("restore returns self", "it returns None", "end with return self")
    mend = "save and restore everything that fit learnt (including the mean and scale of features)"
    _same(answer(head, test), answer(back, test), "the same probabilities after restore", mend)
    one, other = np.asarray(head.embed(test.features)), np.asarray(back.embed(test.features))
    _same(one, other, "the same embedding after restore", mend)


def _no_pickle(path: Path) -> None:
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    pickled = re.match(rb"\x80[\x02-\x05]", path.read_bytes())
    if pickled or any(name.endswith((".pkl", ".pickle")) for name in names):
        raise Problem(
            "a file without pickle: loading one runs whatever its author put in",
            "a pickle",
            "write safetensors, JSON, the library's own text format, or skops",
        )


def _same(one: np.ndarray, other: np.ndarray, expected: str, mend: str) -> None:
    require.same(one, other, expected, mend, share=1e-5)
