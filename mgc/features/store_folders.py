"""Where the feature stores of this machine are; told without reading one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgc.home import home, read_json


def features_root() -> Path | str:
    """``MGC_FEATURES``, a folder or a URL such as ``s3://bucket/features``; else a folder in the
    home folder."""
    named = os.environ.get("MGC_FEATURES", "")
    if "://" in named:
        return named.rstrip("/")
    return Path(named).expanduser().absolute() if named else home() / "features"


def stores() -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, identity record) of every store on this machine."""
    root = features_root()
    if isinstance(root, Path):
        for path in sorted(root.glob("*/identity.json")):
            remedy = f"Remove them, and the next fit will recompute them: rm -r '{path.parent}'"
            yield path.parent, read_json(path, remedy)
