"""A strategy as requested, and as fitted for one fold: with its temperatures, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as tensor_bytes

from mgc.errors import MgcError
from mgc.home import replace_file
from mgc.plugins.contract import StrategyInfo
from mgc.plugins.plugin_spec import PluginSpec
from mgc.strategies.calibration import tempered

FILE = "strategy.safetensors"
LEARNT = "learnt."  # prefix of the strategy's own arrays in the file
TOLERANCE = 1e-6  # how far a strategy's row may be from summing to 1


@dataclass(frozen=True)
class StrategySpec(PluginSpec):
    """One strategy as requested: its name and its parameters."""

    kind_of_plugin: ClassVar[str] = "strategy"

    @property
    def info(self) -> StrategyInfo:
        """What the strategy declares."""
        assert isinstance(self.entry.info, StrategyInfo)
        return self.entry.info

    def make(self, seed: int = 0) -> Any:
        """A new, unfitted strategy. Raises MgcError if it cannot be found or a parameter cannot be
        set."""
        return self.implementation(self.params, seed)


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
        answer = checked(self.strategy.combine(members), probabilities.shape[1:], self.spec)
        return tempered(answer, self.pooled)

    def save(self, folder: Path) -> None:
        """Write temperatures and what was learnt; no pickle."""
        learns = self.spec.info.learns != "nothing"
        learnt = self.strategy.state() if learns else {}
        arrays = {f"{LEARNT}{name}": np.ascontiguousarray(a) for name, a in learnt.items()}
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
        strategy.restore({name.removeprefix(LEARNT): a for name, a in arrays.items()})
    return Combination(spec, strategy, temperatures, pooled)


def checked(answer: Any, shape: tuple[int, ...], spec: StrategySpec) -> np.ndarray:
    """Check that a strategy's answer is probabilities (track, genre); return it with rows
    that sum to exactly 1."""
    found = np.asarray(answer, np.float64)
    problem = ""
    if found.shape != shape:
        problem = f"an array of shape {found.shape} instead of {shape}"
    elif not np.isfinite(found).all() or (found < 0).any():
        problem = "values that are negative or not finite"
    elif (np.abs(found.sum(1) - 1) > TOLERANCE).any():
        problem = "rows that do not sum to 1"
    if problem:
        raise MgcError(
            f"Strategy {spec.name!r} of {spec.entry.distribution} returned {problem}.",
            f"Run: mgc plugins check {spec.name}",
        )
    normal: np.ndarray = found / found.sum(1, keepdims=True)
    return normal
