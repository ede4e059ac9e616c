"""An extractor that fails, beside one that works: the other's work is done, the culprit named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mgc.plugins import registry
from tests.conftest import Told

PLUGIN = """
from mgc import ExtractorInfo, hookimpl
@hookimpl
def mgc_extractors():
    yield ExtractorInfo(name="bad", summary="x", load="bad_code:Bad", sample_rate=22_050,
                        hop_samples=512)
"""
CODE = """
class Bad:
    def __init__(self, params, device):
        {init}
    def __call__(self, clips):
        raise SystemExit(0)
"""


@pytest.fixture(params=["pass"])
def bad(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An installed extractor that leaves when it is called."""
    info = tmp_path / "site" / "mgc_bad-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "bad_plugin.py").write_text(PLUGIN)
    (info.parent / "bad_code.py").write_text(CODE.format(init=request.param))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgc-bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgc]\nbad = bad_plugin\n")
    monkeypatch.syspath_prepend(str(info.parent))
    registry.catalogue.cache_clear()
    yield
    registry.catalogue.cache_clear()
    import sys

    sys.modules.pop("bad_code", None)


@pytest.mark.usefixtures("bad")
def test_the_other_is_extracted_and_fitted(mgc: Callable[..., Told], music: Path) -> None:
    assert mgc("data", "add", "small", music).code == 0
    told = mgc("features", "extract", "bad", "mel", "--data", "small")
    assert told.code == 1
    assert "extractor 'bad'" in told.err
    assert "SystemExit: 0" in told.err
    told = mgc("fit", "-e", "bad", "-e", "mel", "--head", "logistic", "--data", "small")
    assert told.code == 1
    assert "small-mel-logistic-1" in told.out
    assert "bad · logistic: " in told.err
    assert "SystemExit: 0" in told.err
    told = mgc("fit", "-e", "bad", "--head", "logistic", "--data", "small")
    assert told.code == 1
    assert "SystemExit: 0" in told.err
