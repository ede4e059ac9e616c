"""A fitted head of another package, which answers from a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgc.plugins import plugin_process
from mgc.training.fitted_head import FittedHead, restore_head
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import Clips


class HeadApart:
    """The head ``name`` that was saved in ``folder``. Its process restores it at once, and so does
    any that takes its place. Raises as `restore_head` does."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.spec, self.asked = HeadSpec(name), {"folder": str(folder), "device": device}
        self.n_genres: int = self._ask([])

    def predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        """See `FittedHead.predict`."""
        probabilities, embeddings = self._ask([list(clips) for clips in features])
        return probabilities, embeddings

    def _ask(self, features: Sequence[Clips]) -> Any:
        load, seconds = f"{__name__}:answering", plugin_process.ANSWER_SECONDS
        asked = {**self.asked, "features": features}
        return plugin_process.ask(self.spec, load, asked, seconds=seconds)


def answering() -> Callable[[Any], Any]:
    """Set up the process of a head: the function that does what `HeadApart` asks."""
    ready: dict[tuple[str, str], FittedHead] = {}

    def answer(asked: Mapping[str, Any]) -> Any:
        key, features = (asked["folder"], asked["device"]), asked["features"]
        if not features or key not in ready:
            ready[key] = restore_head(Path(key[0]), key[1])
        head = ready[key]
        return head.predict(features) if features else head.facts.n_genres

    return answer
