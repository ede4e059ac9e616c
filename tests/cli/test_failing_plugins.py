"""A plug-in that fails, beside those that work: their work is done, the culprit is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mgc.plugins import registry
from tests.conftest import Told
from tests.plugins.packages import HEAD_CODE, STRATEGY_CODE

Call = Callable[..., Told]

PLUGIN = """
from mgc import ExtractorInfo, HeadInfo, StrategyInfo, hookimpl
@hookimpl
def mgc_extractors():
    yield ExtractorInfo(name="bad", summary="x", load="bad_code:Bad", sample_rate=22_050,
                        hop_samples=512)
@hookimpl
def mgc_heads():
    yield HeadInfo(name="badhead", summary="x", load="bad_code:BadHead", trained_by="estimator")
@hookimpl
def mgc_strategies():
    yield StrategyInfo(name="badmix", summary="x", load="bad_code:BadMix")
"""
CODE = """
import os
{module}
from dataclasses import dataclass
import numpy as np
class Bad:
    @dataclass(frozen=True)
    class Params:
        n_bad: int = 1
        def __post_init__(self):
            {params}
    def __init__(self, params, device):
        {init}
    def __call__(self, clips):
        raise SystemExit(0)
"""
FAILS = """if os.environ.get("BAD_PREDICTS"):
            raise SystemExit(0)"""
HEAD = HEAD_CODE.format(name="BadHead", does=FAILS)
STRATEGY = STRATEGY_CODE.format(name="BadMix", does="pass")
#: What fails → the exception that is named.
WAYS = {
    "call": "SystemExit: 0",
    "init": "ZeroDivisionError",
    "params": "ValueError",
    "params-exits": "SystemExit: 0",
    "module": "ModuleNotFoundError",
    "module-exits": "SystemExit: 0",
    "module-interrupts": "KeyboardInterrupt",
    "module-crashes": "exit code 3",
}
DOES = {
    "init": "1 / 0",
    "params": "raise ValueError('odd')",
    "params-exits": "raise SystemExit(0)",
    "module": "import not_there_at_all",
    "module-exits": "raise SystemExit(0)",
    "module-interrupts": "raise KeyboardInterrupt",
    "module-crashes": "os._exit(3)",
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a package whose extractor, head and strategy fail in one of the `WAYS`."""

    def put(way: str) -> None:
        info = tmp_path / "site" / "mgc_bad-1.0.dist-info"
        info.mkdir(parents=True)
        does = {way.partition("-")[0]: DOES.get(way, "pass")}
        code = {"module": "", "params": "pass", "init": "pass", **does}
        (info.parent / "bad_plugin.py").write_text(PLUGIN)
        (info.parent / "bad_code.py").write_text(CODE.format(**code) + HEAD + STRATEGY)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgc-bad\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[mgc]\nbad = bad_plugin\n")
        monkeypatch.syspath_prepend(str(info.parent))
        registry.catalogue.cache_clear()

    yield put
    registry.catalogue.cache_clear()
    sys.modules.pop("bad_code", None)


@pytest.mark.parametrize("way", WAYS)
def test_the_other_extractor_goes_on(
    mgc: Call, install: Callable[[str], None], music: Path, way: str
) -> None:
    install(way)
    assert mgc("data", "add", "small", music).code == 0
    told = mgc("features", "extract", "bad", "mel", "--data", "small")
    assert told.code == 1
    assert "mel" in mgc("features", "status").out
    assert "'bad'" in told.err
    assert WAYS[way] in told.err
    assert mgc("features", "extract", "bad", "--data", "small").code == 1
    told = mgc("fit", "-e", "bad", "-e", "mel", "--head", "logistic", "--data", "small")
    assert told.code == 1, told.err
    assert "small-mel-logistic-1" in told.out
    assert "bad · logistic: " in told.err
    assert WAYS[way] in told.err
    told = mgc("fit", "-e", "bad", "--head", "logistic", "--data", "small")
    assert told.code == 1
    assert WAYS[way] in told.err


def test_a_setting_is_not_called_unknown_if_its_owner_cannot_be_imported(
    mgc: Call, install: Callable[[str], None], music: Path
) -> None:
    install("module")
    mgc("data", "add", "small", music)
    told = mgc("fit", "-e", "bad", "-e", "mel", "--set", "n_bad=2", "--data", "small")
    assert told.code == 1
    assert "ModuleNotFoundError" in told.err
    assert "small-mel-logistic-1" in told.out
    settings = ("--set", "n_mels=40", "--head", "logistic", "--data", "small")
    told = mgc("fit", "-e", "bad", "-e", "mel", *settings)
    assert told.code == 1
    assert "small-mel-logistic-2" in told.out


def test_other_heads_strategies_and_steps_go_on(
    mgc: Call, install: Callable[[str], None], music: Path, tmp_path: Path
) -> None:
    install("module")
    mgc("data", "add", "small", music)
    heads = ("--head", "badhead", "--head", "logistic")
    told = mgc("fit", "-e", "mel", "-e", "mfcc", *heads, "--data", "small")
    assert told.code == 1
    assert "small-mfcc-logistic-1" in told.out
    assert "mel · badhead: " in told.err
    told = mgc("ensemble", "all", "--data", "small")
    assert told.code == 1
    assert "small-mean-probability-1" in told.out
    assert "badmix: " in told.err
    assert "ModuleNotFoundError" in told.err
    assert mgc("ensemble", "badmix", "--data", "small").code == 1
    (tmp_path / "study.toml").write_text(
        'name = "study"\ndataset = "small"\nextractors = ["bad", "mel", "mfcc"]\n'
        'heads = ["logistic"]\n'
    )
    told = mgc("experiment", "run", tmp_path / "study.toml")
    assert told.code == 1
    assert "mfcc · logistic" in told.out
    assert "1 step failed: bad · logistic, seed 0. " in told.err


def test_a_head_that_fails_in_predict_is_named_once(
    mgc: Call, install: Callable[[str], None], music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("")
    mgc("data", "add", "small", music)
    assert mgc("fit", "-e", "mel", "--head", "badhead", "--data", "small").code == 0
    monkeypatch.setenv("BAD_PREDICTS", "1")
    told = mgc("predict", music / "jazz", "--run", "small-mel-badhead-1")
    assert told.code == 1
    assert "10 files of 10 could not be used" in told.err
    assert told.err.count("Head 'badhead' (mgc-bad 1.0) failed in predict_proba: SystemExit") == 1
