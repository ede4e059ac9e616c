"""A strategy as requested, as fitted for one fold, on disk, and applied to new tracks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as tensor_bytes

from mgc.errors import MgcError
from mgc.home import replace_file
from mgc.plugins import plugin_process, registry
from mgc.plugins.plugin_spec import PluginSpec
from mgc.runs import Run
from mgc.strategies.calibration import tempered
from mgc.training import outputs

FILE = "strategy.safetensors"
LEARNT = "learnt."  # prefix of the strategy's own arrays in the file
TOLERANCE = 1e-6  # how far a strategy's row may be from summing to 1
#: Members may lack tracks (an extractor may fail on a file). If they share less than this fraction
#: of the tracks, the figures would describe a different dataset.
MIN_SHARE = 0.9

LearnFrom = Literal["validation", "out-of-fold"]


@dataclass(frozen=True)
class StrategySpec(PluginSpec):
    """One strategy as requested: its name and its parameters."""

    kind_of_plugin: ClassVar[str] = "strategy"

    def make(self, seed: int = 0) -> Any:
        """A new, unfitted strategy. Raises MgcError if it cannot be found or made, or a parameter
        cannot be set."""
        apart = plugin_process.is_wanted(self.entry.distribution)
        return StrategyApart(self, seed) if apart else self.made(seed)

    def made(self, seed: int) -> Any:
        """`make` in this process."""
        implementation, params = self.implementation, self.params
        with self.blamed("__init__"):
            return implementation(params, seed)


@dataclass
class StrategyApart:
    """A strategy of another package: each call creates it in a process of its own, from what it
    has learnt."""

    spec: StrategySpec
    seed: int
    learnt: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raise MgcError if it cannot be made."""
        self._ask("")

    def fit(self, *given: Any) -> None:
        """See `mgc.plugins.contract.StrategyInfo`."""
        self.learnt = self._ask("fit", *given)

    def combine(self, members: Any) -> Any:
        """See `mgc.plugins.contract.StrategyInfo`."""
        return self._ask("combine", members)

    def state(self) -> Mapping[str, Any]:
        """What it has learnt."""
        return self.learnt or {}

    def restore(self, learnt: Mapping[str, Any]) -> None:
        """Go on from what it had learnt."""
        self.learnt = learnt

    def _ask(self, method: str, *given: Any) -> Any:
        asked = [self.spec.name, dict(self.spec.settings), self.seed, self.learnt, method, *given]
        load, seconds = f"{__name__}:answering", plugin_process.ANSWER_SECONDS
        return plugin_process.ask(self.spec, load, asked, seconds=seconds)


def answering() -> Callable[[Any], Any]:
    """Set up the process of a strategy: the function that does what `StrategyApart` asks."""
    return lambda asked: _answer(*asked)


def _answer(
    name: str, settings: Mapping[str, Any], seed: int, learnt: Any, method: str, *given: Any
) -> Any:
    spec = StrategySpec(name, settings)
    strategy = spec.made(seed)
    if learnt is not None:
        with spec.blamed("restore"):
            strategy.restore(learnt)
    if not method:
        return None
    with spec.blamed(method):
        made = getattr(strategy, method)(*given)
    return learnt_by(spec, strategy) if method == "fit" else outputs.numbers(spec, made)


def learnt_by(spec: StrategySpec, strategy: Any) -> dict[str, np.ndarray]:
    """What a strategy has learnt, as named arrays."""
    with spec.blamed("state"):
        arrays = {name: np.asarray(a) for name, a in strategy.state().items()}
        if odd := [name for name, a in arrays.items() if a.dtype.kind not in "biuf"]:
            raise TypeError(f"{odd[0]} is not an array of numbers")
        return arrays


@dataclass(frozen=True)
class EnsembleRequest:
    """How to combine runs.

    ``smallest_share``: the fraction of all members' tracks that every member must have.
    """

    spec: StrategySpec
    calibrate: bool = False
    learn_from: LearnFrom = "validation"
    smallest_share: float = MIN_SHARE
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Combination:
    """A strategy fitted for one fold; turns the members' outputs for tracks into one answer.

    ``temperatures`` (member,) are applied to the members, ``pooled`` to the result; all are 1 if
    nothing was calibrated.
    """

    spec: StrategySpec
    strategy: Any
    temperatures: np.ndarray
    pooled: float = 1.0

    def __call__(self, probabilities: np.ndarray, embeddings: Sequence[np.ndarray]) -> np.ndarray:
        """(member, track, genre) and each member's (track, dimension) → (track, genre).

        Raises MgcError if the strategy does not return probabilities.
        """
        members: Any = embeddings
        if self.spec.info.combines == "probabilities":
            members = tempered(probabilities, self.temperatures[:, None, None])
        with self.spec.blamed("combine"):
            answer = self.strategy.combine(members)
        _, *shape = probabilities.shape
        found = outputs.probabilities(self.spec, answer, (shape[0], shape[1]), TOLERANCE)
        return tempered(found / found.sum(1, keepdims=True), self.pooled)

    @cached_property
    def learnt(self) -> dict[str, np.ndarray]:
        """What the strategy learnt, as named arrays."""
        return {} if self.spec.info.learns == "nothing" else learnt_by(self.spec, self.strategy)

    def save(self, folder: Path) -> None:
        """Write temperatures and what was learnt; no pickle."""
        arrays = {f"{LEARNT}{name}": np.ascontiguousarray(a) for name, a in self.learnt.items()}
        arrays["temperatures"] = np.asarray(self.temperatures, np.float64)
        arrays["pooled"] = np.array([self.pooled], np.float64)
        replace_file(folder / FILE, tensor_bytes(arrays))


def restore(spec: StrategySpec, folder: Path, seed: int) -> Combination:
    """Read what `Combination.save` wrote. Raises MgcError if the file is damaged."""
    try:
        arrays = load_file(folder / FILE)
        temperatures, pooled = arrays.pop("temperatures"), float(arrays.pop("pooled")[0])
    except Exception as error:
        raise MgcError(
            f"{folder / FILE} cannot be read: {error}.", "Create the ensemble again: mgc ensemble …"
        ) from error
    strategy = spec.make(seed)
    if spec.info.learns != "nothing":
        with spec.blamed("restore"):
            strategy.restore({name.removeprefix(LEARNT): a for name, a in arrays.items()})
    return Combination(spec, strategy, temperatures, pooled)


def strategy_folder(run: Run, fold: int) -> Path:
    """Where the strategy of a fold is kept."""
    return run.folder / "strategy" / f"fold-{fold}"


#: For each member and fold, what its model says of tracks: probabilities (track, genre) and
#: embeddings (track, dimension).
MemberAnswers = Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]


def combined_by_fold(run: Run, answers: MemberAnswers) -> np.ndarray:
    """An ensemble's probabilities (fold, track, genre) for new tracks.

    Each fold's models are combined by the strategy fitted for that fold.
    """
    combined = []
    for number, made in enumerate(load_combinations(run)):
        pairs = [folds[number] for folds in answers]
        probabilities = np.stack([np.asarray(p, np.float64) for p, _ in pairs])
        combined.append(made(probabilities, [embedding for _, embedding in pairs]))
    return np.stack(combined)


def apply_without(run: Run, answers: MemberAnswers, number: int, usual: np.ndarray) -> np.ndarray:
    """The mean of `combined_by_fold` without what one member says about these tracks.

    A strategy that learns nothing combines the other members. One that has learnt how much to
    trust each gets the member's ``usual`` probabilities (genre,) and an embedding of zeros instead.
    """
    combined = []
    for fold, made in enumerate(load_combinations(run)):
        pairs = [folds[fold] for folds in answers]
        if made.spec.info.learns == "nothing":
            del pairs[number]
            made = replace(made, temperatures=np.delete(made.temperatures, number))
        else:
            shares, embedding = pairs[number]
            pairs[number] = np.tile(usual, (len(shares), 1)), np.zeros_like(embedding)
        combined.append(made(np.stack([p for p, _ in pairs]), [e for _, e in pairs]))
    return np.asarray(np.mean(combined, axis=0))


def load_combinations(run: Run) -> list[Combination]:
    """What an ensemble learnt: one combination per fold.

    Raises MgcError, naming the distribution to install, if the strategy's plug-in is missing.
    """
    asked = run.record.strategy
    registry.find_recorded("strategy", vars(asked), f"Run {run.name!r}")
    spec = StrategySpec(asked.name, asked.params)
    made = []
    for number in range(max(1, run.record.dataset.folds)):
        folder = strategy_folder(run, number)
        run.check((folder / FILE).relative_to(run.folder).as_posix())
        made.append(restore(spec, folder, run.record.seed or 0))
    return made
