"""The software behind a run's numbers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from mgc import __version__

PACKAGES = ("torch", "transformers", "scikit-learn", "numpy", "librosa", "soundfile", "soxr")


def versions() -> dict[str, str]:
    """The versions of the software behind the numbers."""
    found = {"mgc": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
