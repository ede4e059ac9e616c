"""The public Python API: what a notebook, a service or another package calls, as ``mgc.fit``.

See docs/api.md. No function prints; errors are `mgc.MgcError` and its subclasses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mgc import resolve, runs
from mgc.finished_run import FinishedRun, public
from mgc.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mgc.datasets.table import Dataset
    from mgc.evaluation.evaluate import Evaluation
    from mgc.prediction.model import Model

#: The columns of `compare`, in order; what they mean is in docs/api.md.
COLUMNS = (
    "name", "kind", "rank", "accuracy", "accuracy_low", "accuracy_high", "precision", "recall",
    "f1", "f1_low", "f1_high", "nll", "ece", "tracks", "seeds", "seed_sd", "seed_interval",
    "best_share", "reference", "difference", "difference_low", "difference_high", "p",
    "p_adjusted", "mcnemar_p", "f1_difference", "f1_p", "runs",
)  # fmt: skip


def load(run: str | os.PathLike[str], *, device: str = "auto") -> Model:
    """The model of a finished run, by the run's name or its folder, or a ready-made one's name.

    ``device`` is ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``mps``. Raises
    UsageError if the run or the device does not exist, MgcError if the run has no results.
    """
    from mgc.prediction import ready_models

    ready = ready_models.find(os.fspath(run))
    return (public(ready) if ready else _finished(run)).model(device)


def zero_shot(
    genres: str | Sequence[str],
    extractor: str | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Model:
    """The model of genres given by name, without any training.

    Args:
        genres: 2 to 200 names in any words, as a sequence or between commas.
        extractor: one that embeds text, such as ``clap``; None is the only one installed.
        settings: the extractor's parameters.
        device: as in `load`.

    Raises:
        UsageError: the genres cannot be used, or the extractor does not embed text.
        MgcError: no installed extractor embeds text.
    """
    from mgc.prediction import zero_shot as prediction

    given = _assignments(settings or {})
    return prediction.zero_shot(genres, extractor, given, resolve.device(device))


def extract(
    audio: object,
    extractor: str,
    *,
    clip_seconds: float | None = None,
    clips_per_track: int | None = None,
    device: str = "cpu",
    **params: Any,
) -> np.ndarray:
    """The features of one piece of audio, as an extractor makes them.

    Args:
        audio: a path, a binary file object, or (samples, sample rate in Hz); the forms are
            described at `mgc.audio.given.given`.
        extractor: its name, such as ``mel``.
        clip_seconds: the length of a clip; None is 30.
        clips_per_track: the most clips to take, spread evenly over the track; None is 4.
        device: where the extractor runs.
        params: the extractor's own parameters.

    Returns:
        float32 (clip, feature, frame) of a sequence, (clip, feature) of a vector or
        (clip, layer, feature) of layers. A sequence is NaN beyond the end of a clip that is
        shorter than the others, which happens if a file ends before its header says.

    Raises:
        UsageError: the extractor or a parameter is unknown.
        AudioError: the audio cannot be used.
    """
    from mgc.audio.given import given
    from mgc.features.extraction.one_file import clip_arrays

    policy = resolve.policy(clip_seconds, clips_per_track)
    (source,) = resolve.sources([extractor], _assignments(params), policy, resolve.device(device))
    return clip_arrays(given(audio), source)


def fit(
    data: str | Dataset,
    extractor: str,
    head: str | None = None,
    *,
    folds: int = 0,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    clip_seconds: float | None = None,
    clips_per_track: int | None = None,
    device: str = "auto",
    include_bad: bool = False,
    progress: Progress | None = None,
) -> FinishedRun:
    """Fit one head on the features of one extractor, score the test tracks once, keep the run.

    One call makes one run; features are extracted once and reused by the next call.

    Args:
        data: a dataset or its name.
        extractor: its name, such as ``mel``.
        head: its name; None uses ``cnn`` on a GPU, else ``logistic``.
        folds: K for cross-validation; 0 uses the dataset's own split.
        seed: the seed of the training and, with ``folds``, of the folds.
        settings: parameters of the extractor, the head and the training by name; one that
            several have is written as ``mel.n_mels`` or ``training.epochs``.
        clip_seconds, clips_per_track: which parts of a track are heard; as in `extract`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        include_bad: use quarantined tracks too.
        progress: is told about the work.

    Raises:
        UsageError: a name, a setting or a combination is not possible.
        MgcError: nothing can be fitted.
    """
    from mgc import fitting

    (request,) = fitting.requests(
        data=data if isinstance(data, str) else data.name,
        extractors=[extractor],
        heads=[] if head is None else [head],
        folds=folds,
        seeds=[seed],
        assignments=_assignments(settings or {}),
        clip_seconds=clip_seconds,
        clips_per_track=clips_per_track,
        device=device,
        include_bad=include_bad,
    )
    return public(fitting.fit(request, progress))


def ensemble(
    strategy: str,
    members: Sequence[runs.Run | str | os.PathLike[str]],
    *,
    calibrate: bool = False,
    learn_from: Literal["validation", "out-of-fold"] = "validation",
    settings: Mapping[str, Any] | None = None,
) -> FinishedRun:
    """Combine finished runs of the same dataset and folds into a new run.

    Args:
        strategy: its name, such as ``confidence``.
        members: at least two runs, their names or folders.
        calibrate: temper the members and the result.
        learn_from: the held-out tracks that weights and meta-models learn from.
        settings: the strategy's own parameters.

    Raises:
        UsageError: the runs cannot be combined, or the strategy or a setting is unknown.
    """
    from mgc.ensembling.combination import EnsembleRequest, StrategySpec
    from mgc.ensembling.ensemble_runs import ensemble as combined

    request = EnsembleRequest(StrategySpec(strategy, dict(settings or {})), calibrate, learn_from)
    return public(combined(request, [_finished(member) for member in members]))


def compare(
    what: str | Dataset | Iterable[runs.Run | str | os.PathLike[str]],
    *,
    reference: str | None = None,
) -> pd.DataFrame:
    """Put runs side by side: figures with intervals, and paired tests against one of them.

    Args:
        what: a dataset or its name, whose newest run of each kind is taken; or the runs.
        reference: the name of the system to test against; None is the best single one.

    Returns:
        One row per system with the columns `COLUMNS`, the most accurate first.

    Raises:
        UsageError: there is no finished run, or the runs are on different datasets.
    """
    import pandas as pd

    from mgc.datasets.table import Dataset
    from mgc.evaluation.compare import compare as compared
    from mgc.evaluation.systems import systems
    from mgc.runs import selection

    if isinstance(what, str | Dataset):
        name = resolve.dataset_name(what) if isinstance(what, str) else what.name
        chosen = list(selection.comparable(runs.everything()[0], name).runs)
    else:
        chosen = [_finished(run) for run in what]
    made = compared(systems(chosen), reference)
    return pd.DataFrame(list(made.rows), columns=list(COLUMNS))


def evaluate(
    run: runs.Run | str | os.PathLike[str],
    data: str | Dataset,
    genre_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Score a run, or a ready-made model, on another dataset; see `mgc.evaluation.evaluate`."""
    from mgc.evaluation.evaluate import evaluate as evaluated

    found = load(run.folder if isinstance(run, runs.Run) else run, device=device).run
    assert found is not None
    other = resolve.dataset(data) if isinstance(data, str) else data
    return evaluated(found, other, genre_map, device=resolve.device(device), progress=progress)


def _finished(run: runs.Run | str | os.PathLike[str]) -> FinishedRun:
    """A run with results, given as itself, by name or by folder."""
    return public(
        runs.load_finished(str(run.folder if isinstance(run, runs.Run) else os.fspath(run)))
    )


def _assignments(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the command line writes them."""
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]
