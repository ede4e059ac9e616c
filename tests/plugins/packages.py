"""Real plug-in packages for tests: a wheel, written by hand, put in place by a real installer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def write_wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    *,
    version: str = "1.0",
    entry_points: str | None = None,
) -> Path:
    """A pure Python wheel with ``files`` (path → text).

    ``entry_points`` is the text of entry_points.txt; by default the group ``mgc`` names the one
    module in ``files``.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    module = next(iter(files)).removesuffix(".py").removesuffix("/__init__")
    if entry_points is None:
        entry_points = f"[mgc]\n{module} = {module.replace('/', '.')}\n"
    info = f"{stem}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    members = {**files, **metadata}
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in {**members, f"{info}/RECORD": record}.items():
            wheel.writestr(member, text)
    return path


def uv() -> str | None:
    """uv beside this Python (make setup puts it there), or on the search path."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def install(wheels: Sequence[Path], target: Path) -> Path:
    """Install wheels into a folder of their own, with uv or else pip; nothing is downloaded."""
    if (found := uv()) is not None:
        command = [found, "pip", "install", "--offline", "--python", sys.executable]
    else:
        command = [sys.executable, "-m", "pip", "install", "--no-index"]
    options = ["--quiet", "--no-deps", "--target", str(target)]
    subprocess.run([*command, *options, *map(str, wheels)], check=True)
    return target


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run_mgc(*arguments: str, path: Path | None = None, home: Path | None = None) -> Result:
    """``python -m mgc …`` in a process of its own, with ``path`` first on its search path."""
    environment = dict(os.environ)
    environment.pop("MGC_DEBUG", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    if home is not None:
        environment["MGC_HOME"] = str(home)
    done = subprocess.run(
        [sys.executable, "-m", "mgc", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
