"""An installed plug-in whose extractor does what the loudness of a file tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.plugins import registry

#: amplitude of a constant wave → what the extractor does with it
RAISE, NAN, SEGFAULT, KILL, HANG, KILL_ONCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
HUGE = 0.7  # values beyond float16

MODULE = """
import ctypes, os, pathlib, signal, time
import torch
from mgc import ExtractorInfo, hookimpl

@hookimpl
def mgc_extractors():
    yield ExtractorInfo(name="hostile", summary="does as told", load="hostile_plugin:Hostile",
                        sample_rate=22_050, hop_samples=2_205)

class Hostile:
    def __init__(self, params, device):
        pass
    def __call__(self, clips):
        told = round(float(clips.waves.abs().amax()), 2)
        if told == 0.1:
            raise ZeroDivisionError("as told")
        if told == 0.3:
            ctypes.string_at(0)
        if told == 0.4:
            os.kill(os.getpid(), signal.SIGKILL)
        if told == 0.5:
            time.sleep(3_600)
        if told == 0.6:
            marker = pathlib.Path(__file__).with_name("killed-once")
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        frames = 1 + clips.waves.shape[1] // 2_205
        value = {0.2: torch.nan, 0.7: 1e6}.get(told, told)
        return torch.full((len(clips), 3, frames), value)
"""


def install(folder: Path) -> None:
    """Put the plug-in into a folder as pip would."""
    folder.mkdir(exist_ok=True)
    (folder / "hostile_plugin.py").write_text(MODULE)
    info = folder / "mgc_hostile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgc-hostile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgc]\nhostile = hostile_plugin\n")


def told(path: Path, what: float, seconds: float = 0.5) -> Path:
    """A file that tells the extractor what to do."""
    wave = np.full(round(seconds * 22_050), what, np.float32)
    soundfile.write(path, wave, 22_050, subtype="FLOAT")
    return path


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the extractor, installed."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry.catalogue.cache_clear()
    yield "hostile"
    registry.catalogue.cache_clear()
