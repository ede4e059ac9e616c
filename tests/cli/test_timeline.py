"""``mgc predict --timeline`` as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc import fitting
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]


@pytest.fixture
def mix(mgc_home: Path, music: Path, tmp_path: Path) -> Path:
    """Metal, silence, ambient; a run is there that knows them."""
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    fitting.fit(asked())
    parts = [synthesise("metal", 35, 0, seconds=8.0), np.zeros(8 * 22_050)]
    parts.append(synthesise("ambient", 35, 0, seconds=8.0))
    soundfile.write(tmp_path / "mix.wav", np.concatenate(parts), 22_050)
    return tmp_path / "mix.wav"


def test_every_form_and_what_is_refused(mgc: Call, mix: Path, tmp_path: Path) -> None:
    timeline = ("predict", mix, "--timeline", "--window", "2")
    told = mgc(*timeline)
    assert told.code == 0
    assert [line.split()[1] for line in told.out.splitlines()[1:]] == ["metal", "–", "ambient"]
    assert "is digital silence, so it has no genre" in told.err
    segments = mgc(*timeline, "--json").json["segments"]
    assert [segment["genre"] for segment in segments] == ["metal", None, "ambient"]
    assert mgc(*timeline, "--csv").out.startswith("start,end,genre,ambient,jazz,metal,remark\n")
    for suffix, begin in ((".txt", b"0.000000\t"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
        assert mgc(*timeline, "-o", tmp_path / f"out{suffix}").code == 0
        assert (tmp_path / f"out{suffix}").read_bytes().startswith(begin)
    for wrong in (
        ("--hop", "3"), ("--hop", "nan"), ("--smooth", "0"), ("--window", "0.1"), ("--jsonl",),
        ("--top", "2"), ("--json", "--csv"), ("-o", tmp_path / "out.odd"), (mix.parent,),
    ):  # fmt: skip
        soundfile.write(tmp_path / "other.wav", np.zeros(9_000), 22_050)
        told = mgc(*timeline, *wrong)
        assert (told.code, told.out) == (2, ""), wrong
    assert mgc("predict", mix, "--hop", "1").code == 2
