"""Where the feature stores of this machine are; told without reading one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgc.errors import MgcError
from mgc.home import home, read_json


def features_root() -> Path | str:
    """``MGC_FEATURES``, a folder or a URL such as ``s3://bucket/features``; else a folder in the
    home folder."""
    named = os.environ.get("MGC_FEATURES", "")
    if "://" in named:
        return named.rstrip("/")
    return Path(named).expanduser().absolute() if named else home() / "features"


def stores(damaged: list[MgcError] | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, identity record) of every store on this machine; why others cannot be read is added
    to ``damaged``, or raised if there is none."""
    root = features_root()
    for path in sorted(root.glob("*/identity.json")) if isinstance(root, Path) else ():
        remedy = f"Remove them, and the next fit will recompute them: rm -r '{path.parent}'"
        try:
            yield path.parent, read_json(path, remedy)
        except MgcError as error:
            if damaged is None:
                raise
            damaged.append(error)
