"""Writes a new plug-in package from templates: small, installable, tested."""

from __future__ import annotations

import keyword
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

from mgc.errors import MgcError, UsageError
from mgc.plugins import registry
from mgc.plugins.contract import LISTINGS
from mgc.plugins.menu import COMMANDS
from mgc.plugins.validation import NAME

TRY = {
    "extractor": "mgc fit --extractor {name}",
    "head": "mgc fit --extractor mfcc --head {name}",
    "strategy": "mgc ensemble {name}",
    "command": "mgc {name} --help",
    "model": "mgc models get {name} --from RUN_FOLDER",
}


def write_package(kind: str, name: str, folder: Path) -> Path:
    """Write a package with one plug-in of a kind into ``folder``; return it.

    Raises UsageError for a name that cannot be used or is taken, and for a folder with content.
    """
    _check(kind, name, folder)
    words = _words(kind, name)
    package = f"src/{words['package']}"
    written = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        f"{package}/__init__.py": "common/__init__.py",
        f"{package}/plugin.py": f"{kind}/plugin.py",
        f"{package}/{words['module']}.py": f"{kind}/code.py",
        f"tests/test_{words['module']}.py": "common/test.py",
    }
    try:
        for path, template in written.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_filled(template, words), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # it was empty or not there
        raise MgcError(f"Cannot write {folder}: {error.strerror or error}.") from error
    return folder


def _check(kind: str, name: str, folder: Path) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(
            f"A plug-in cannot be named {name!r}.",
            "Lower-case letters, digits, - _ and . are fine; the first is a letter or digit.",
        )
    owners = {entry.info.name: entry.distribution for entry in registry.catalogue().entries(kind)}
    if kind == "command":
        owners |= dict.fromkeys(COMMANDS, "mgc")
    if name in owners:
        raise UsageError(
            f"There is {'an' if kind == 'extractor' else 'a'} {kind} {name!r} already, "
            f"of {owners[name]}.",
            f"Choose another name; those taken: {LISTINGS[kind]}",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} already exists.", "Choose another folder with --to.")


def _words(kind: str, name: str) -> dict[str, str]:
    snake = name.replace("-", "_").replace(".", "_")
    usable = snake.isidentifier() and not keyword.iskeyword(snake)
    module = snake if usable else f"{kind}_{snake}"
    made = "".join(part.capitalize() for part in module.split("_"))
    return {
        "kind": kind,
        "name": name,
        "distribution": f"mgc-{name}",
        "package": f"mgc_{snake}",
        "module": module,
        "Class": made,
        "try_it": TRY[kind].format(name=name),
    }


def _filled(template: str, words: dict[str, str]) -> str:
    source = files("mgc.plugins") / "templates" / f"{template}.tmpl"
    return Template(source.read_text(encoding="utf-8")).substitute(words)
