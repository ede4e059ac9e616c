"""A package whose extractors misbehave in every way: only their own features suffer, by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mgc.audio.processes import isolated
from mgc.errors import MgcError
from mgc.features.extraction import Extraction, extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import registry
from tests.sounds import music, write

#: How an extractor fails, what it does, and what is said of it.
FAILS = {
    "raises": ("raise ValueError('odd')", "ValueError: odd"),
    "raises-base": ("raise Odd('odd')", "Odd: odd"),
    "raises-keyboard": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises-generator-exit": ("raise GeneratorExit", "GeneratorExit"),
    "raises-stop": ("raise StopIteration", "StopIteration"),
    "raises-memory": ("raise MemoryError('no')", "MemoryError: no"),
    "raises-disk": ("raise OSError(28, 'No space')", "OSError: [Errno 28] No space"),
    "raises-pipe": ("raise BrokenPipeError", "BrokenPipeError"),
    "raises-end": ("raise EOFError", "EOFError"),
    "exits-0": ("sys.exit(0)", "SystemExit: 0"),
    "exits-3": ("sys.exit(3)", "SystemExit: 3"),
    "leaves-0": ("os._exit(0)", "crashed 3 times (exit code 0)"),
    "leaves-7": ("os._exit(7)", "crashed 3 times (exit code 7)"),
    "segfault": ("ctypes.string_at(0)", "crashed 3 times (SIGSEGV"),
    "abort": ("os.abort()", "crashed 3 times (SIGABRT"),
    "kill": ("os.kill(os.getpid(), 9)", "crashed 3 times (SIGKILL"),
    "terminate": ("os.kill(os.getpid(), 15)", "crashed 3 times (SIGTERM"),
    "recursion": ("def f(): f()\n        f()", "RecursionError"),
    "none": ("return None", "shape ()"),
    "text": ("return 'x'", "not of real numbers"),
    "texts": ("return good.numpy().astype(str)", "not of real numbers"),
    "fields": ("return numpy.zeros(good.shape, 'f4,f4')", "not of real numbers"),
    "complex": ("return good + 1j", "not of real numbers"),
    "masked": ("return numpy.ma.masked_greater(good.numpy(), 0.5)", "not finite"),
    "overflows": ("return good.double() * 1e300", "not finite"),
    "scalar": ("return torch.tensor(1.0)", "shape ()"),
    "vector": ("return good[:, 0]", "an array of shape"),
    "four": ("return good[None]", "an array of shape"),
    "no-clip": ("return good[:0]", "an array of shape"),
    "two-clips": ("return torch.cat([good, good])", "an array of shape"),
    "no-frame": ("return good[..., :0]", "an array of shape"),
    "one-frame": ("return good[..., :1]", "an array of shape"),
    "no-feature": ("return good[:, :0]", "not finite"),
    "nan": ("return good * torch.nan", "not finite"),
    "inf": ("return good + torch.inf", "not finite"),
    "meta": ("return good.to('meta')", "NotImplementedError"),
    "init-exits": ("", "cannot be set up (SystemExit: 0)"),
    "init-raises": ("", "cannot be set up (Odd)"),
}
#: What harms the process or what extractors share, but not the extractor's own numbers.
SPOILS = {
    "numpy": "good = good.numpy()",
    "double": "good = good.double().numpy()",
    "list": "good = good.tolist()",
    "objects": "good = good.numpy().astype(object)",
    "bfloat16": "good = good.bfloat16()",
    "big-endian": "good = good.numpy().astype('>f4')",
    "backwards": "good = good.numpy()[:, ::-1]",
    "read-only": "good = good.numpy(); good.flags.writeable = False",
    "waves": "clips.waves.zero_()",
    "waves-numpy": "clips.waves.numpy()[:] = 0",
    "waves-replaced": "clips.waves = torch.zeros_like(clips.waves)",
    "lengths": "clips.lengths.zero_()",
    "power": "clips.power_spectrum(2048, 512).mul_(3)",
    "power-numpy": "clips.power_spectrum(2048, 512).numpy()[:] = 0",
    "remembered": "clips.shared(('power', 2048, 512), lambda: torch.zeros(1, 99, 1025))",
    "patched": "torch.fft.rfft = lambda *a, rfft=torch.fft.rfft, **k: rfft(*a, **k) * 2",
    "patched-mgc": "import mgc.extractors.mel as mel; mel.mel_decibel = None",
    "dtype": "torch.set_default_dtype(torch.float64)",
    "threads": "torch.set_num_threads(16)",
    "denormal": "torch.set_flush_denormal(True)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "grad": "torch.set_grad_enabled(True)",
    "deafens": "import numpy; numpy.empty = None",
    "errstate": "import numpy; numpy.seterr(all='raise')",
    "directory": "os.chdir('/')",
    "home": "os.environ['MGC_HOME'] = '/nowhere'",
    "signals": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "prints": "print('hello'); os.write(1, b'hello'); os.write(2, b'hello')",
    "closes-1-2": "os.closerange(1, 3)",
    "thread": "import threading as t; t.Thread(target=t.Event().wait, daemon=True).start()",
    "fork": "os.fork() or os._exit(0)",
    "leak": "self.kept = torch.ones(1_000_000)",
    "modules": "sys.modules.pop('mgc.audio.clips', None)",
}
MODULE = """
import ctypes, os, sys
import numpy
import torch
class Odd(BaseException): pass
class Base:
    def __init__(self, params, device):
        pass
    def good(self, clips):
        samples = clips.waves.shape[1]
        return torch.ones(len(clips), 2, 1 + samples // 512)
"""
ONE = """
class Way{number}(Base):
    def __call__(self, clips):
        good = self.good(clips)
        {code}
        return good
"""
DECLARES = """
from mgc import ExtractorInfo, hookimpl
@hookimpl
def mgc_extractors():
    for number, name in enumerate({names!r}):
        yield ExtractorInfo(name=name, summary="x", load=f"odd_code:Way{{number}}",
                            sample_rate=22_050, hop_samples=512)
"""


@pytest.fixture
def names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mgc_home: Path
) -> Iterator[dict[str, str]]:
    """Extractor → what is said of it, "" if it works; all are installed."""
    codes = {**{name: code for name, (code, _) in FAILS.items()}, **SPOILS}
    text = MODULE + "".join(ONE.format(number=n, code=c) for n, c in enumerate(codes.values()))
    order = list(codes)
    for name, does in (("init-exits", "sys.exit(0)"), ("init-raises", "raise Odd")):
        old = f"class Way{order.index(name)}(Base):\n"
        text = text.replace(old, f"{old}    def __init__(self, params, device):\n        {does}\n")
    site = tmp_path / "site"
    info = site / "mgc_odd-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "odd_code.py").write_text(text)
    (site / "odd_plugin.py").write_text(DECLARES.format(names=order))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgc-odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgc]\nodd = odd_plugin\n")
    monkeypatch.syspath_prepend(str(site))
    registry.catalogue.cache_clear()
    yield {name: FAILS.get(name, ("", ""))[1] for name in order}
    registry.catalogue.cache_clear()


def stored(sources: list[ExtractorSpec], done: Extraction, path: Path) -> list[list[np.ndarray]]:
    for source in sources:
        source.store.refresh()
    return [source.store.read(done.hashes[path]) for source in sources]


def test_each_is_named_and_the_others_are_right_to_the_bit(
    names: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{n}.wav", music(1.3, seed=n)) for n in range(2)]
    ours = [ExtractorSpec(name) for name in ("mel", "mfcc", "chroma")]
    alone = {path: stored(ours, extract(paths, ours), path) for path in paths}
    assert all(len(rows) for path in paths for rows in alone[path])
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "other"))
    ours = [ExtractorSpec(name) for name in ("mel", "mfcc", "chroma")]
    theirs = [ExtractorSpec(name) for name in names]
    done = extract(paths, [*theirs, *ours])
    assert done.made == 2
    for path in paths:
        for expected, found in zip(alone[path], stored(ours, done, path), strict=True):
            np.testing.assert_array_equal(found, expected)
    said = {(f.fingerprint, f.path): f.reason for f in done.failures}
    for source in theirs:
        for path in paths:
            reason = said.pop((source.store.fingerprint, path), "")
            if names[source.name]:
                assert reason.startswith(f"{path}: ") or source.name.startswith("init")
                assert repr(source.name) in reason
                assert names[source.name] in reason
                assert ": ." not in reason
            else:
                assert reason == "", source.name
                [rows] = stored([source], done, path)
                assert all((row == 1).all() for row in rows)
    assert not said


def sleepy() -> object:
    def answer(request: str) -> str:
        if request == "hang":
            import time

            time.sleep(3_600)
        return request.upper()

    return answer


def test_what_hangs_is_named_once_and_then_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", "spawn")
    child = isolated.Isolated(f"{__name__}:sleepy", {})
    assert child("a") == "A"
    monkeypatch.setattr(isolated, "ANSWER_SECONDS", 0.1)
    with pytest.raises(MgcError, match="it took more than"):
        child("hang")
    assert child.child is None
    with pytest.raises(MgcError, match="it took more than"):
        child("a")
