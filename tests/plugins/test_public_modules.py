"""docs/writing-plugins.md says what plug-ins may import; ours import nothing else."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgc.plugins import builtin, former_paths

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "writing-plugins.md").read_text()
PUBLIC = set(
    re.findall(r"^\| `(mgc[\w.]*)` \|", PAGE.partition("## What may be imported")[2], re.M)
) - set(former_paths.FORMER_PATHS)
PACKAGES = sorted(
    path for path in ROOT.glob("plugins/*/src/**/*.py") if "/.venv/" not in path.as_posix()
)


def builtins() -> list[Path]:
    """The files that the records of what ships name, and the one that holds the records."""
    hooks = (builtin.mgc_extractors, builtin.mgc_heads, builtin.mgc_strategies)
    modules = {info.load.partition(":")[0] for hook in hooks for info in hook()}
    return [ROOT / f"{module.replace('.', '/')}.py" for module in sorted(modules)] + [
        Path(builtin.__file__)
    ]


def imported(path: Path) -> Iterator[str]:
    """The modules of mgc that a file imports, wherever in it; `mgc` for its names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] == "mgc")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mgc":
            for name in node.names:
                below = ROOT / f"{node.module}.{name.name}".replace(".", "/")
                is_module = below.is_dir() or below.with_suffix(".py").exists()
                yield f"{node.module}.{name.name}" if is_module else str(node.module)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_packages_import_only_what_the_page_lists(path: Path) -> None:
    assert set(imported(path)) <= PUBLIC


@pytest.mark.parametrize("path", builtins(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_ships_imports_only_what_the_page_lists_and_its_own_folder(path: Path) -> None:
    own = {
        f"mgc.{path.parent.name}.{p.stem}"
        for p in path.parent.glob("*.py")
        if path.parent.name in ("extractors", "heads", "strategies")
    }
    assert set(imported(path)) <= PUBLIC | own


def test_the_page_lists_modules_that_exist_and_every_former_path() -> None:
    assert len(PUBLIC) >= 9
    for name in PUBLIC:
        importlib.import_module(name)
    rows = re.findall(r"^\| `(mgc\.\w+)` \| `(mgc[\w.]+)` \|$", PAGE, re.M)
    assert dict(rows) == former_paths.FORMER_PATHS
    assert set(former_paths.FORMER_PATHS.values()) <= PUBLIC


def test_a_private_import_would_be_seen(tmp_path: Path) -> None:
    text = "import mgc.home\ndef later():\n    from mgc import resolve, MgcError\n"
    (tmp_path / "plugin.py").write_text(text)
    assert set(imported(tmp_path / "plugin.py")) == {"mgc.home", "mgc.resolve", "mgc"}
