"""Heads and strategies whose code harms its process: the culprit is named, the others are right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.audio.processes import workers
from mgc.plugins import registry
from tests.conftest import Told
from tests.plugins.packages import HEAD_CODE, STRATEGY_CODE

Call = Callable[..., Told]
#: What a head or strategy does → what is said of it.
DOES = {
    "kills": ("os.kill(os.getpid(), 9)", "crashed its worker process 1 time (SIGKILL"),
    "crashes": ("__import__('ctypes').string_at(0)", "crashed its worker process 1 time (SIGSEGV"),
    "leaves": ("os._exit(0)", "crashed its worker process 1 time"),
    "orphans": ("os.fork() and os.kill(os.getpid(), 9); time.sleep(60)", "SIGKILL"),
    "closes": ("os.closerange(0, 4096)", "crashed its worker process 1 time"),
    "exits": ("sys.exit(0)", "failed in {}: SystemExit: 0."),
    "patches": ("import hashlib; hashlib.sha1 = np.cross = None", ""),
    "prints": ("print('\\x1b[2J'); os.environ.clear(); os.chdir('/')", ""),
    "objects": ("return np.array([[object()]])", "returned no array"),
}
PLUGIN = """
from mgc import HeadInfo, StrategyInfo, hookimpl
NAMES = {names}
@hookimpl
def mgc_heads():
    for name in NAMES:
        yield HeadInfo(name=name, summary="x", load="harmful_code:Head_" + name,
                       trained_by="estimator")
    yield HeadInfo(name="net", summary="x", load="harmful_net:Net", trained_by="gradient",
                   accepts=("sequence",))
@hookimpl
def mgc_strategies():
    for name in NAMES:
        yield StrategyInfo(name="mix-" + name, summary="x", load="harmful_code:Mix_" + name)
"""
NET = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, params, shape, genres):
        super().__init__()
        self.hidden, self.output = nn.Linear(shape.features, 8), nn.Linear(8, genres)
    def embed(self, features, lengths):
        return torch.tanh(self.hidden(features.mean(2)))
    def classify(self, embedding):
        return self.output(embedding)
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with a head and a strategy for each of `DOES`."""
    info = tmp_path / "site" / "mgc_odd-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "harmful_plugin.py").write_text(PLUGIN.format(names=[*DOES]))
    code = [
        text.format(name=f"{kind}_{name}", does=does)
        for name, (does, _) in DOES.items()
        for kind, text in (("Head", HEAD_CODE), ("Mix", STRATEGY_CODE))
    ]
    imports = "import os, sys, time\nimport numpy as np\n"
    (info.parent / "harmful_code.py").write_text(imports + "".join(code))
    (info.parent / "harmful_net.py").write_text(NET)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgc-odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgc]\nodd = harmful_plugin\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.2)
    registry.catalogue.cache_clear()
    yield
    registry.catalogue.cache_clear()
    for name in ("harmful_code", "harmful_net"):
        sys.modules.pop(name, None)


def _numbers(*names: str) -> list[bytes]:
    return [(runs.runs_home() / name / "predictions.parquet").read_bytes() for name in names]


@pytest.mark.usefixtures("odd")
def test_the_others_are_right_and_the_culprit_is_named(mgc: Call, music: Path) -> None:
    mgc("data", "add", "m", music)
    fit = ("fit", "-e", "mfcc", "--data", "m", "--head", "logistic")
    assert mgc(*fit, "--head", "svm").code == 0
    told = mgc(*fit, *(word for name in DOES for word in ("--head", name)), "--head", "svm")
    assert told.code == 1
    first = ("m-mfcc-logistic-1", "m-mfcc-svm-1")
    assert _numbers(*first) == _numbers("m-mfcc-logistic-2", "m-mfcc-svm-2")
    assert mgc("ensemble", "mean-probability", *first).code == 0
    mixed = mgc("ensemble", "all", *first)
    assert mixed.code == 1
    one, two = _numbers("m-mean-probability-1", "m-mean-probability-2")
    assert one == two
    for name, (_, said) in DOES.items():
        for kind, of, method, heard in (
            ("Head", name, "predict_proba", told), ("Strategy", f"mix-{name}", "combine", mixed),
        ):  # fmt: skip
            lines = [
                line for line in heard.err.splitlines() if f"{kind} '{of}' (mgc-odd 1.0)" in line
            ]
            assert bool(lines) == bool(said), (name, heard.err)
            assert all(said.format(method) in line for line in lines), lines
    assert "m-mfcc-patches-1" in told.out
    assert "m-mix-prints-1" in mixed.out
    assert "\x1b[2J" not in told.out + told.err + mixed.out + mixed.err


@pytest.mark.usefixtures("odd")
def test_a_fitted_head_answers_from_a_process_of_its_own(mgc: Call, music: Path) -> None:
    mgc("data", "add", "m", music)
    assert mgc("fit", "-e", "mfcc", "--head", "patches", "--data", "m").code == 0
    told = mgc("predict", music / "jazz" / "artist-0" / "0.wav", "--run", "m-mfcc-patches-1")
    assert told.code == 0, told.err
    assert np.cross is not None


@pytest.mark.usefixtures("odd")
def test_a_network_is_trained_and_reported_as_in_this_process(
    mgc: Call, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mgc("data", "add", "m", music)
    fit = ("fit", "-e", "mfcc", "--head", "net", "--data", "m", "--folds", "2", "--device", "cpu")
    apart = mgc(*fit, "--set", "epochs=2")
    assert apart.code == 0, apart.err
    assert "harmful_net" in sys.modules
    monkeypatch.setenv("WORLD_SIZE", "1")  # as torchrun sets it: no process of its own
    here = mgc(*fit, "--set", "epochs=2")
    assert _numbers("m-mfcc-net-1") == _numbers("m-mfcc-net-2")
    first = [told.err.partition("  epoch 1 ")[2].partition("  s ")[0] for told in (apart, here)]
    assert "val. loss" in first[0]
    assert first[0] == first[1]
