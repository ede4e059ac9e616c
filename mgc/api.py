"""The public Python API: what a notebook, a service or another package calls, as ``mgc.fit``.

See docs/api.md. No function prints; errors are `mgc.MgcError` and its subclasses.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mgc import resolve, runs
from mgc.home import replace_file
from mgc.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas as pd

    from mgc.datasets.table import Dataset
    from mgc.evaluation.evaluate import Evaluation
    from mgc.prediction.model import Model

#: The columns of `compare`, in order; what they mean is in docs/api.md.
COLUMNS = (
    "name", "kind", "rank", "accuracy", "accuracy_low", "accuracy_high", "precision", "recall",
    "f1", "f1_low", "f1_high", "nll", "ece", "ece_corrected", "ece_low", "ece_high", "tracks",
    "seeds", "seed_sd", "seed_interval", "best_share", "reference", "difference",
    "difference_low", "difference_high", "p", "p_adjusted", "mcnemar_p", "f1_difference", "f1_p",
    "runs",
)  # fmt: skip


class FinishedRun(runs.Run):
    """A run that has results: ``mgc.Run``."""

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of the test tracks: accuracy, precision, recall, f1, nll, ece, …"""
        return dict(self.scores["test"])

    @property
    def members(self) -> list[str]:
        """The names of the runs that an ensemble combines; empty for a single run."""
        return list(self.record.members) if self.kind == "ensemble" else []

    def report(
        self, path: str | os.PathLike[str], *, title: str = "", progress: Progress | None = None
    ) -> Path:
        """Write one HTML page about the run and return its path.

        It has the curves, matrices, map and hard tracks that ``mgc report`` shows, with the sound
        of the hard tracks: check who owns the music before you share the page.
        """
        from mgc.reporting.page.build import ReportRequest, make_report

        (source,) = resolve.sources(["mel"], None, resolve.policy(None, None), "cpu")
        page = make_report([self], ReportRequest(title, picture=source), progress or Silent())
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, page.encode("utf-8", errors="replace"))
        return target

    def model(self, device: str = "auto") -> Model:
        """The run, ready to hear audio; see `load`."""
        from mgc.prediction.model import Model

        return Model(self, resolve.device(device))

    def __repr__(self) -> str:
        figures = self.figures
        return (
            f"<Run {self.name}: {self.label}, accuracy {figures['accuracy']:.1%}, "
            f"F1 {figures['f1']:.3f} on {figures['tracks']:,} test tracks>"
        )

    def _repr_html_(self) -> str:
        """The figures as a table, for a notebook."""
        from mgc.runs.calibration_error import calibration_of_run

        figures = self.figures | calibration_of_run(self)
        names = ("accuracy", "precision", "recall", "f1", "nll", "ece_corrected")
        cells = [f"<td>{name}</td><td>{figures[name]:.3f}</td>" for name in names]
        rows = "".join(f"<tr>{cell}</tr>" for cell in cells)
        return f"<table><caption>{escape(self.name)}: {escape(self.label)}</caption>{rows}</table>"


def finished_runs() -> list[FinishedRun]:
    """The runs at home that have results, the oldest first, and the ready-made models here."""
    from mgc.prediction import ready_models

    found = [run for run in runs.everything()[0] if run.finished]
    return [_public(run) for run in [*found, *ready_models.here()]]


def answering_run() -> FinishedRun | None:
    """The run that answers if none is named: of the dataset in use, or else a ready-made model;
    None if there is neither."""
    from mgc.prediction import ready_models
    from mgc.runs import answering

    found = ready_models.first() if not runs.names() else None
    if runs.names():
        choice = answering.answering(runs.everything()[0], resolve.dataset_name(None))
        found = choice.run if choice else None
    return _public(found) if found else None


def load(run: str | os.PathLike[str], *, device: str = "auto") -> Model:
    """The model of a finished run, by the run's name or its folder, or a ready-made one's name.

    ``device`` is ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``mps``. Raises
    UsageError if the run or the device does not exist, MgcError if the run has no results.
    """
    from mgc.prediction import ready_models

    ready = ready_models.find(os.fspath(run))
    return (_public(ready) if ready else _finished(run)).model(device)


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

    given = resolve.assignments(settings or {})
    return prediction.zero_shot(genres, extractor, given, resolve.device(device))


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
    pooled: bool = False,
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
        pooled: keep pooled statistics instead of whole sequences, for heads that scikit-learn
            fits: the same run from far smaller features; each file is decoded twice.
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
        assignments=resolve.assignments(settings or {}),
        clip_seconds=clip_seconds,
        clips_per_track=clips_per_track,
        device=device,
        include_bad=include_bad,
        pooled=pooled,
    )
    return _public(fitting.fit(request, progress))


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
    return _public(combined(request, [_finished(member) for member in members]))


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
    return _public(
        runs.load_finished(str(run.folder if isinstance(run, runs.Run) else os.fspath(run)))
    )


def _public(run: runs.Run) -> FinishedRun:
    return FinishedRun(run.folder, run.record)
