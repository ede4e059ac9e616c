"""Modules that plug-ins imported in version 0.1 and that have moved since.

Each former path gives the module itself, with a DeprecationWarning that names the new path. This
file will be removed in version 1.0.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

FORMER_PATHS = {
    "mgc.calibration": "mgc.strategies.calibration",
    "mgc.clips": "mgc.audio.clips",
    "mgc.contract": "mgc.plugins.contract",
    "mgc.params": "mgc.plugins.params",
    "mgc.pooling": "mgc.heads.pooling",
    "mgc.scikit": "mgc.heads.estimator",
    "mgc.weights": "mgc.extractors.pretrained_weights",
}
#: Constants that have a different name in the new module.
FORMER_NAMES = {
    "mgc.calibration": {"LARGEST": "MAX_TEMPERATURE", "SMALLEST": "MIN_PROBABILITY"},
    "mgc.pooling": {"SMALLEST_POWER": "MIN_POWER"},
    "mgc.scikit": {"LARGEST": "MAX_DEVIATIONS"},
}


class FormerPath:
    """Finds and imports the module behind a former path, after every other finder has found
    nothing."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a former path, None for anything else."""
        # importlib.abc, which has the base class of loaders, takes a millisecond to import.
        return ModuleSpec(name, cls()) if name in FORMER_PATHS else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module at its new path; warns whoever wrote the import statement."""
        new = FORMER_PATHS[spec.name]
        warnings.warn(
            f"{spec.name} is now {new}; the former path will be removed in mgc 1.0",
            DeprecationWarning,
            stacklevel=2,  # Python does not count its own import frames
        )
        module = import_module(new)
        self.former, self.spec = spec.name, module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has already run: only restore the spec that the import replaced."""
        module.__spec__ = self.spec
        for old, new in FORMER_NAMES.get(self.former, {}).items():
            setattr(module, old, getattr(module, new))


def register() -> None:
    """Make the former paths importable."""
    if FormerPath not in sys.meta_path:
        sys.meta_path.append(FormerPath)
