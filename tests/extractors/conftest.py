"""Models that several extractor tests read; made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extractors import tiny_whisper


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Whisper of 80 mel bands, as the hub has them."""
    return tiny_whisper.save(tmp_path_factory.mktemp("whisper") / "tiny")
