"""Real plug-in packages for tests: a wheel, written by hand, put in place by a real installer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The code of a head and of a strategy that do something first; then the head answers alike for all
#: tracks, the strategy with the mean of the members. Their module imports numpy as np.
HEAD_CODE = """
class {name}:
    def __init__(self, params, seed):
        pass
    def fit(self, features, genres, groups, n_genres):
        self.n = n_genres
        return self
    def predict_proba(self, features):
        {does}
        return np.full((len(features), self.n), 1 / self.n)
    def embed(self, features):
        return features
    def save(self, path):
        path.write_text(str(self.n))
    def restore(self, path):
        self.n = int(path.read_text())
        return self
"""
STRATEGY_CODE = """
class {name}:
    def __init__(self, params, seed):
        pass
    def combine(self, members):
        {does}
        return members.mean(0)
"""


def write_wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    *,
    version: str = "1.0",
    entry_points: str | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """A pure Python wheel with ``files`` (path → text).

    ``entry_points`` is the text of entry_points.txt; by default the group ``mgc`` names the one
    module in ``files``. ``requires`` are the packages that it depends on.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    module = next(iter(files)).removesuffix(".py").removesuffix("/__init__")
    if entry_points is None:
        entry_points = f"[mgc]\n{module} = {module.replace('/', '.')}\n"
    info = f"{stem}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
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


def build_wheel(project: Path, folder: Path) -> Path:
    """Build a project's wheel into ``folder`` with what is installed here."""
    before = set(folder.glob("*.whl"))
    command = [str(uv()), "build", "--quiet", "--wheel", "--offline", "--no-build-isolation"]
    where = ["--python", sys.executable, "--out-dir", str(folder)]
    subprocess.run([*command, *where, str(project)], check=True)
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def install(wheels: Sequence[Path], target: Path) -> Path:
    """Install wheels into a folder of their own, with uv or else pip; nothing is downloaded."""
    if (found := uv()) is not None:
        command = [found, "pip", "install", "--offline", "--python", sys.executable]
    else:
        command = [sys.executable, "-m", "pip", "install", "--no-index"]
    options = ["--quiet", "--no-deps", "--target", str(target)]
    subprocess.run([*command, *options, *map(str, wheels)], check=True)
    return target


OURS = ("mgc", "_editable_impl_mgc", "__editable__.mgc", "__editable___mgc")


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, with a home of its own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """One with the libraries that are here, but without mgc and its plug-ins."""
        command = [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")]
        subprocess.run(command, check=True)
        libraries = folder / "libraries"
        libraries.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.startswith(OURS):
                (libraries / path.name).symlink_to(path)
        packages = next((folder / "venv").glob("lib/python*/site-packages"))
        (packages / "here.pth").write_text(f"import site; site.addsitedir({str(libraries)!r})\n")
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv" / "bin" / "python"

    def mgc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command ``mgc``."""
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "MGC_HOME": str(self.folder / "home"),
        }
        return subprocess.run(
            [str(self.python.with_name("mgc")), *arguments],
            capture_output=True, text=True, env=environment, cwd=self.folder, timeout=240,
            check=False,
        )  # fmt: skip

    def pip(self, verb: str, *arguments: str) -> None:
        """Install or uninstall, without a network."""
        offline = ["--offline", "--no-deps"] if verb == "install" else []
        command = [str(uv()), "pip", verb, "--quiet", "--python", str(self.python), *offline]
        subprocess.run([*command, *arguments], check=True)

    def listed(self) -> dict[str, dict]:
        """What ``mgc plugins list`` says, by package."""
        done = self.mgc("plugins", "list", "--json")
        assert done.returncode == 0, done.stderr
        return {plugin["distribution"]: plugin for plugin in json.loads(done.stdout)}


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
