"""Every example of docs/api.md runs, in the order of the page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import mgc
from mgc.api import COLUMNS

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def test_the_examples_run(
    mgc_home: Path,
    music: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Music").symlink_to(music)
    shutil.copy(next((music / "metal").rglob("*.wav")), "song.wav")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert len(blocks) == 6
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"api.md, example {number + 1}", "exec"), names)
    said = capsys.readouterr().out
    assert "metal" in said
    assert "3 s were heard" in said
    assert "missing.wav: cannot be read" in said
    assert (tmp_path / "page.html").stat().st_size > 100_000
    assert names["mel"].shape[1] == 96


def test_every_public_name_and_column_is_described() -> None:
    text = PAGE.read_text()
    for name in ("load", "extract", "fit", "ensemble", "compare", "datasets", "Run", "zero_shot"):
        assert f"mgc.{name}" in text
        assert name in mgc.__all__
    for column in COLUMNS:
        assert f"`{column}`" in text
