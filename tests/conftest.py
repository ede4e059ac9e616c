"""What many tests need: a home of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a test process: pytest-xdist already has one process for each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def mgc_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for datasets, features and runs."""
    home = tmp_path / "home"
    monkeypatch.setenv("MGC_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real music that ``MGC_REAL_DATA`` names; skips, saying so, where there is none."""
    folder = os.environ.get("MGC_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MGC_REAL_DATA does not name a folder of real music")
    return Path(folder)
