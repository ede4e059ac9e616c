"""What the strategies that learn have in common: how their state is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np


class Learnt:
    """A strategy whose state is the arrays named in ``LEARNT``, kept as ``self.NAME_``."""

    LEARNT: ClassVar[tuple[str, ...]]

    def __init__(self, params: Any, seed: int) -> None:
        self.params, self.seed = params, seed

    def state(self) -> Mapping[str, np.ndarray]:
        """The arrays in ``LEARNT``, by name."""
        return {name: getattr(self, f"{name}_") for name in self.LEARNT}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Restore what `state` returned."""
        for name in self.LEARNT:
            setattr(self, f"{name}_", state[name])
        return self
