"""What a plug-in declares, and what the code behind a declaration must provide.

The five records are plain data: importing this module loads neither numpy nor torch. The
protocols say what the class named by ``load="package.module:Class"`` provides; it is imported
only when it is used.

Every class behind a record may have a frozen dataclass ``Params``; its fields, with their
defaults, are what ``--set name=value`` changes, what is stored in the run, and (for extractors)
what enters the fingerprint of the features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mgc.audio.clips import Clips

FeatureKind = Literal["sequence", "vector", "layers"]


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """What every record has: a name as typed, one line about it, and where its code is.

    ``requires`` names the modules without which it cannot be used; ``install`` is the command that
    installs them.
    """

    name: str
    summary: str
    load: str
    requires: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, kw_only=True)
class ExtractorInfo(PluginInfo):
    """Declares a feature extractor.

    ``kind`` is the shape of its feature: ``sequence`` (feature, frame), ``vector`` (feature) or
    ``layers`` (layer, feature). An extractor whose kind depends on a parameter overrides it (see
    `Extractor.kind`). ``hop_samples`` is the whole number of samples from one frame to the next;
    ``window_samples`` the fixed length that the extractor works on, None for any length.
    ``unit`` is that of the numbers; a sequence of unit ``embedding`` (an encoder's states) is
    pooled to its mean over time, any other to statistics (see `mgc.heads.pooling`).
    ``weights`` is where the weights of the default parameters are kept, a path in mgc's home or
    ``hub:owner/name``: `mgc features list` says if they are missing.
    ``licence`` is that of these weights, ``pretrained_on`` the names of the corpora that they were
    trained on, such as ``AudioSet``, or ``web audio (not listed)`` where nobody says what is in it;
    both are copied into runs, unless a parameter ``model`` names another model.
    Raise ``revision`` whenever the numbers change: old features are then extracted again.
    One clip must give the same numbers alone and in a batch; the conformance checks hold an
    extractor to it.
    """

    sample_rate: int
    hop_samples: int
    kind: FeatureKind = "sequence"
    unit: str = ""
    window_samples: int | None = None
    weights: str = ""
    licence: str = ""
    pretrained_on: tuple[str, ...] = ()
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class HeadInfo(PluginInfo):
    """Declares a classifier head.

    ``trained_by`` is ``gradient`` (a torch module; mgc's trainer owns the loop) or ``estimator``
    (scikit-learn's fit / predict_proba). ``accepts`` lists the feature kinds that it takes; the
    first match wins. A head that accepts ``vector`` takes every kind, since mgc pools a sequence to
    statistics over time and flattens layers (see `mgc.heads.pooling`).
    Raise ``revision`` when what was saved can no longer be restored: a run of another revision is
    refused, with a hint on what to install.
    ``seeded`` is False for an estimator that learns the same whatever its seed: on one split it is
    fitted once.
    """

    trained_by: Literal["gradient", "estimator"]
    accepts: tuple[FeatureKind, ...] = ("vector",)
    revision: int = 1
    seeded: bool = True


@dataclass(frozen=True, kw_only=True)
class StrategyInfo(PluginInfo):
    """Declares an ensemble strategy.

    ``combines`` says what a strategy receives from its members: their ``probabilities``
    (member, track, genre), or their ``embeddings``, one (track, dimension) array per
    member. ``learns`` says what `LearningStrategy.fit` is given: ``nothing`` (it has no `fit`),
    ``held-out`` (answers of models not trained on these tracks: the fold's validation part, or what
    ``--learn-from`` says), ``out-of-fold`` (the test tracks of the other folds, as there are
    several times as many; the validation part of a single split) or ``training`` (the fold's own
    training and validation tracks; for embeddings, whose spaces differ from fold to fold).
    """

    combines: Literal["probabilities", "embeddings"] = "probabilities"
    learns: Literal["nothing", "held-out", "out-of-fold", "training"] = "nothing"
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class CommandInfo(PluginInfo):
    """Declares a command of the command line: ``mgc NAME``.

    ``load`` names a `typer.Typer` (a group of commands) or a function with Typer's annotations.
    `mgc --help` shows ``summary`` in the panel ``panel`` (default: "Plug-ins") without importing
    either. A built-in command's name cannot be taken.
    """

    panel: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelInfo(PluginInfo):
    """Declares a ready-made model: a run that answers before anything has been trained here.

    ``load`` names a function ``(folder: Path, source: Path | None) -> None`` that writes a finished
    run into the empty ``folder``, by copying one that `mgc fit` made or with
    `mgc.prediction.ready_models.write_run`. Only `mgc models get` calls it (``source`` is the file
    of ``--from``), and only it may use the network. ``genres`` are in the order of the
    probabilities; ``bytes`` is the size of what is downloaded; ``licence`` and ``pretrained_on``
    are as in `ExtractorInfo`.
    """

    genres: tuple[str, ...]
    licence: str = ""
    pretrained_on: tuple[str, ...] = ()
    bytes: int = 0


Info = ExtractorInfo | HeadInfo | StrategyInfo | CommandInfo | ModelInfo


@runtime_checkable
class Extractor(Protocol):
    """Turns equal-rate mono clips into features. ``__init__`` uses no file and no network.

    Optional extras, used if present: ``kind``, ``licence`` and ``pretrained_on`` (properties: what
    the record says, for these params),
    ``frame_count(samples: int) -> int`` (frames that are valid for this many samples; the default
    is ``1 + samples // hop_samples``, centred frames), ``identity() -> str`` (which weights the
    numbers come from; enters the fingerprint), ``fetch()`` (downloads the weights and may
    return the folder that it filled; only `mgc features fetch` calls it, with the path of
    ``--from FILE`` if it has a parameter for one),
    ``feature_shape(samples: int) -> tuple[int, ...]`` (one clip's shape, so that sizes are known
    before anything is extracted) and ``feature_axis(sample_rate: int) -> (str, sequence)`` (for
    pictures: what the feature rows are, with the unit, such as ``frequency (Hz)``, and the number
    or name of each row).

    For genres given by name (`mgc predict --genres`), an extractor of kind ``vector`` may offer
    ``embed_text(texts: Sequence[str]) -> Tensor | ndarray``: (text, dimension) float32 in the space
    of its vectors, of any length, since they are compared by their cosine. With it, ``logit_scale``
    (property: the positive number that cosines were multiplied by in training) and, if names
    alone are not what it was trained on, ``prompts`` (class attribute: texts with ``{}`` for a
    name; their vectors are averaged).
    """

    Params: ClassVar[type]

    def __init__(self, params: Any, device: str) -> None: ...

    def __call__(self, clips: Clips) -> Tensor | np.ndarray:
        """Return float32 on the clips' device, or in numpy: (clip, feature, frame), (clip, feature)
        or (clip, layer, feature). Rows of shorter clips are padded at the end; mgc trims them."""


@dataclass(frozen=True)
class FeatureShape:
    """What a head is built for: the kind, the features per frame (or vector), and the layers."""

    kind: FeatureKind
    features: int
    layers: int = 1


@runtime_checkable
class GradientHead(Protocol):
    """A torch ``nn.Module`` from features to logits.

    Optional: a class attribute ``training_defaults: Mapping[str, Any]`` with its own defaults for
    `mgc.training.head_spec.Training`.
    """

    Params: ClassVar[type]

    def __init__(self, params: Any, shape: FeatureShape, genres: int) -> None: ...

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) or (clip, [layer,] feature), normalised, and the valid frames
        of each clip (clip,) → embedding (clip, dimension)."""

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding (clip, dimension) → logits (clip, genre)."""


@runtime_checkable
class EstimatorHead(Protocol):
    """A scikit-learn-like classifier of vectors.

    It is fitted twice: on the training tracks, for answers to the validation tracks that ensembles
    may learn from, and on both, for all other answers and all embeddings.
    """

    Params: ClassVar[type]

    def __init__(self, params: Any, seed: int) -> None: ...

    def fit(
        self, features: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> EstimatorHead:
        """Fit on (clip, feature) float32 and genre numbers (clip,) in [0, n_genres).

        ``groups`` (clip,) numbers the artists (or tracks), for inner cross-validation. A second
        fit forgets the first. A genre may be absent from ``genres``.
        """

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """(clip, feature) → probabilities (clip, n_genres); rows sum to 1."""

    def embed(self, features: np.ndarray) -> np.ndarray:
        """(clip, feature) → embedding (clip, dimension)."""

    def save(self, path: Path) -> None:
        """Write the fitted state to the file ``path``; never a pickle."""

    def restore(self, path: Path) -> EstimatorHead:
        """Read the state that `save` wrote; return self."""


@runtime_checkable
class Strategy(Protocol):
    """Combines members. ``probabilities`` is (member, track, genre) float64, rows sum to 1.

    A strategy that combines embeddings gets a list of (track, dimension) float arrays, one per
    member, with rows aligned by track, in place of ``probabilities``.
    """

    Params: ClassVar[type]

    def __init__(self, params: Any, seed: int) -> None: ...

    def combine(self, members: Any) -> np.ndarray:
        """Return probabilities (track, genre) float64; rows sum to 1.

        Each track is combined by itself: no other track in the call changes its answer.
        """


@runtime_checkable
class LearningStrategy(Strategy, Protocol):
    """A strategy that learns how to combine; ``learns`` in its record says from what."""

    def fit(
        self, members: Any, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> LearningStrategy:
        """Learn from tracks with genre numbers (track,) in [0, n_genres); return self.

        ``groups`` (track,) numbers the artists (or tracks), for inner cross-validation. A second
        fit forgets the first. A genre may be absent from ``genres``.
        """

    def state(self) -> Mapping[str, np.ndarray]:
        """What `fit` learnt, as named arrays."""

    def restore(self, state: Mapping[str, np.ndarray]) -> LearningStrategy:
        """Restore what `state` returned; return self."""


KINDS: Mapping[str, type] = {
    "extractor": ExtractorInfo,
    "head": HeadInfo,
    "strategy": StrategyInfo,
    "command": CommandInfo,
    "model": ModelInfo,
}
#: The noun of `mgc … list` for each kind of plug-in that has one.
NOUNS: Mapping[str, str] = {
    "extractor": "features",
    "head": "heads",
    "strategy": "strategies",
    "model": "models",
}
#: The command that lists the names of each kind of plug-in.
LISTINGS: Mapping[str, str] = {
    **{kind: f"mgc {noun} list" for kind, noun in NOUNS.items()},
    "command": "mgc --help",
}
#: The protocol for each way of being used, for conformance checks.
PROTOCOLS: Sequence[type] = (Extractor, GradientHead, EstimatorHead, Strategy, LearningStrategy)
