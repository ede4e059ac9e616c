"""What the encoders say of their weights."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from mgc_encoders.plugin import mgc_extractors

from mgc import ExtractorInfo
from mgc.runs.pretraining import CORPORA, UNLISTED

INFOS = {info.name: info for info in mgc_extractors()}


@pytest.mark.parametrize("info", INFOS.values(), ids=INFOS)
def test_each_says_its_licence_and_what_it_was_trained_on(info: ExtractorInfo) -> None:
    assert info.licence
    assert info.pretrained_on


def test_corpora_have_the_names_by_which_datasets_are_recognised() -> None:
    known = {*CORPORA.values()}
    assert {*INFOS["dasheng"].pretrained_on} & known == {"AudioSet", "MTG-Jamendo"}
    for name in ("mert", "clap"):
        assert INFOS[name].pretrained_on[-1].endswith(UNLISTED)


def test_a_licence_against_commercial_use_is_told() -> None:
    said = "CC BY-NC 4.0: no commercial use"
    for command in (["show", "mert"], ["list"]):
        whole = [sys.executable, "-m", "mgc", "features", *command]
        told = subprocess.run(whole, capture_output=True, text=True, check=True)
        assert " ".join(told.stdout.split()).count(said) == 1, told.stdout
    whole = [sys.executable, "-m", "mgc", "features", "show", "mert", "--json"]
    found = subprocess.run(whole, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)["licence"] == "CC BY-NC 4.0"
