"""The same plug-in in a fresh process: what importing it loads, and whether the numbers agree.

Run as ``python -m mgc.checks.elsewhere``: a request as JSON on stdin, the answer on stdout.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mgc.checks.kit import Problem, Subject, music

#: What a declaration must not import: each takes longer than all of `mgc … list` may take.
HEAVY = ("torch", "numpy", "scipy", "sklearn", "pandas", "librosa", "transformers", "matplotlib")
SECONDS = 1.98  # of music that both processes listen to
SEED = 11
PATIENCE = 600  # seconds; a large model on a slow disk
#: What lies below these is opened by imports, and by Python itself.
INSTALLED = ("/proc", "/sys", "/dev", sys.prefix, sys.base_prefix)


@dataclass(frozen=True)
class Report:
    """What the other process found."""

    heavy: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    identity: dict[str, Any] | None = None
    feature: Any = None
    error: str = ""


def report(subject: Subject) -> Report:
    """Import the plug-in (and run it, if it is an extractor) in another process; made once."""
    settings = json.dumps(subject.settings, sort_keys=True)
    return _report(subject.module, subject.entry.kind, subject.info.name, settings)


@cache
def _report(module: str, kind: str, name: str, settings: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        asked = {"module": module, "kind": kind, "name": name, "settings": json.loads(settings)}
        asked["feature"] = str(Path(folder) / "feature.npy")
        done = subprocess.run(
            [sys.executable, "-m", "mgc.checks.elsewhere"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            # Another hash seed, so that an order of a set or dict that leaks is seen.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "4711"},
            check=False,
        )
        if done.returncode:
            raise Problem(
                "the plug-in runs in another process",
                done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}",
                f"make `python -c 'import {module}'` work",
            )
        answer = json.loads(done.stdout)
        feature = None
        if answer.pop("has_feature"):
            import numpy as np

            feature = np.load(asked["feature"], allow_pickle=False)
        return Report(**answer, feature=feature)


def main() -> None:
    """Answer one request."""
    asked = json.load(sys.stdin)
    answer: dict[str, Any] = {"has_feature": False}
    with contextlib.redirect_stdout(sys.stderr):
        importlib.import_module(asked["module"])
        answer["heavy"] = sorted(set(HEAVY) & set(sys.modules))
        if asked["kind"] == "extractor":
            try:
                _run(asked, answer)
            except Exception as error:  # the other process hears of it as a finding
                answer["error"] = f"{type(error).__name__}: {error}"
    json.dump(answer, sys.stdout)


def _run(asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """Construct the extractor under watch, then hear the music; ``answer`` is filled on the way."""
    import numpy as np
    import torch

    from mgc.clips import Clips
    from mgc.sources import Source

    source = Source(asked["name"], asked["settings"])
    source.params  # noqa: B018 - imports and checks everything before the watch begins
    with watched() as answer["touched"]:
        source.extractor  # noqa: B018 - constructs it
    answer["identity"] = source.identity()
    wave = torch.from_numpy(music(SECONDS, source.info.sample_rate, SEED))[None]
    with torch.inference_mode():
        output = source.extractor(Clips(wave, source.info.sample_rate))
    np.save(asked["feature"], output.float().cpu().numpy())
    answer["has_feature"] = True


@contextlib.contextmanager
def watched() -> Any:
    """Collect the files and hosts that are opened meanwhile. The watch stays in the process."""
    touched: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching:
            return
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path = os.path.abspath(arguments[0])
            if not path.startswith((*INSTALLED, *filter(None, sys.path))):
                touched.append(f"it opens {path}")
        elif event == "socket.connect":
            touched.append(f"it connects to {arguments[1]}")
        elif event == "socket.getaddrinfo":
            touched.append(f"it looks up {arguments[0]}")

    sys.addaudithook(hook)
    try:
        yield touched
    finally:
        watching = False


if __name__ == "__main__":
    main()
