"""A home of this session's own, and the published weights in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

FETCH = "MGC_FETCH"  # set in CI: real weights must be had


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("MGC_HOME", str(folder))
        yield folder


def unfetched(reason: str) -> NoReturn:
    """Skip, saying why; where `FETCH` is set, fail."""
    if os.environ.get(FETCH):
        pytest.fail(f"{FETCH} is set, and the real weights cannot be had: {reason}")
    pytest.skip(f"{reason} (set {FETCH}=1 to fail)")


@pytest.fixture(scope="session")
def weights(home: Path) -> Path:
    """The real weights, fetched as a user does; see `unfetched` if no package index answers."""
    done = subprocess.run(
        [sys.executable, "-m", "mgc", "features", "fetch", "musicnn"],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    if "could not be fetched" in done.stderr:
        unfetched(done.stderr)
    assert done.returncode == 0, done.stderr
    return home / "weights" / "musicnn"
