"""What other packages declare, read in a process of its own and kept, so that importing a plug-in
module, whatever it does, affects nothing but its own names. The same process tells whether the
module of an implementation can be imported at all.

A package is read again if its version, its RECORD, the declaring module or the folder that it is
installed in has changed, or an environment variable that the module read.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mgc.errors import MgcError
from mgc.home import bytes_of, home, replace_file, temporary_folder

if TYPE_CHECKING:
    import subprocess

READ_SECONDS = 30.0  # a module that takes longer to import counts as hung
LOAD_SECONDS = 300.0  # the same of an implementation, which may import torch from a slow disk
KEPT = {"records", "problem", "hint", "is_slow", "stamp", "names", "seen"}
_RUN = """import json, sys; asked = json.loads(sys.argv[1]); sys.path[:] = asked.pop("path")
from mgc.plugins import declaring; declaring.write(**asked)"""


class Point(NamedTuple):
    """An entry point: its name and value, its distribution with version, its ``dist-info``.

    One without a name is the module of an implementation.
    """

    name: str
    value: str
    distribution: str
    version: str
    info: str

    @property
    def seconds(self) -> float:
        """How long importing it may take."""
        return READ_SECONDS if self.name else LOAD_SECONDS


#: ``records`` ([kind, fields] each), or why there are none: ``problem``, with a ``hint``.
Declared = dict[str, Any]


def cached(value: str, info: str) -> Declared | None:
    """What an entry point declares, if it has been read and nothing has changed since."""
    found: Declared | None = _cache(_file()).get(_key(value, info))
    if found and found["stamp"] == _stamp(value, info) and found["seen"] == _seen(found["names"]):
        return found
    return None


def read(points: Sequence[Point]) -> Iterator[Declared]:
    """What each entry point declares."""
    known = [cached(point.value, point.info) for point in points]
    missing = [point for point, one in zip(points, known, strict=True) if one is None]
    made = iter(_read_apart(missing) if missing else [])
    for one in known:
        yield one if one is not None else next(made)


def import_problem(module: str, distribution: str, version: str, info: str) -> str:
    """How importing an implementation would end or stop this process; "" if it would not."""
    [made] = read([Point("", module, distribution, version, info)])
    return str(made["problem"])


def forget_problems(*, even_slow: bool = False) -> None:
    """Read the modules again that could not be read; those that take too long only if asked."""
    known = _cache(_file())
    for key, one in list(known.items()):
        if one["problem"] and (even_slow or not one["is_slow"]):
            del known[key]


def module_source(module: str) -> str | None:
    """The file of a module, as far as that can be told without importing the package around it."""
    spec: ModuleSpec | None = None
    for end, _ in enumerate(parts := module.split("."), start=1):
        path = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None  # found by an import hook, as some editable installs are
    return spec.origin if spec else None


def module_of(value: str) -> str:
    """The module that the value of an entry point names."""
    return value.partition(":")[0].partition("[")[0].strip()


def _read_apart(points: Sequence[Point]) -> list[Declared]:
    """Import each module in a process of its own, all at the same time, and keep the outcomes."""
    import time

    children = []
    with temporary_folder() as folder:
        outs = [folder / str(number) for number, _ in enumerate(points)]
        try:
            children += [_start(point, out) for point, out in zip(points, outs, strict=True)]
            begun = time.monotonic()
            made = [
                _outcome(point, out, _exit_code(child, begun + point.seconds - time.monotonic()))
                for point, out, child in zip(points, outs, children, strict=True)
            ]
        finally:
            for child in children:
                child.kill()
                child.wait()
    _keep({_key(p.value, p.info): one for p, one in zip(points, made, strict=True)})
    return made


def _start(point: Point, out: Path) -> subprocess.Popen[bytes]:
    import subprocess

    asked = {"path": sys.path, "point": list(point), "out": str(out)}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _RUN, json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _exit_code(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """How a process ended, None if it has not."""
    import subprocess

    try:
        return child.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return None


def _outcome(point: Point, out: Path, code: int | None) -> Declared:
    from mgc.plugins.distributions import way_out_of
    from mgc.plugins.environment_reads import in_particular

    names: list[str] = []
    with suppress(OSError):
        names = in_particular(out.with_suffix(".names").read_text("utf-8", "replace"))
    try:
        made: Declared = json.loads(out.read_bytes())
    except (OSError, ValueError):
        how = f"ends the process (exit code {code})"
        if code is None:
            how = f"takes more than {point.seconds:.0f} s"
        hint = way_out_of(point.distribution)
        made = {"records": [], "problem": f"importing it {how}", "hint": hint}
    stamp = _stamp(point.value, point.info)
    kept = {"is_slow": code is None, "stamp": stamp, "names": names, "seen": _seen(names)}
    return {**made, **kept}


@cache
def _cache(file: Path) -> dict[str, Declared]:
    return _stored(file)


def _stored(file: Path) -> dict[str, Declared]:
    with suppress(OSError, ValueError, AttributeError):  # not a dictionary of dictionaries
        found = json.loads(bytes_of(file))
        return {k: one for k, one in found.items() if one.keys() == KEPT}
    return {}


def _keep(made: Mapping[str, Declared]) -> None:
    """Keep the outcomes in the home; without one that can be written, they are read each time."""
    _cache(_file()).update(made)
    known = _stored(_file()) | dict(made)  # another process may have written since it was read
    with suppress(MgcError):
        there = {key: one for key, one in known.items() if os.path.exists(key.partition("\n")[0])}
        replace_file(_file(), json.dumps(there).encode())


def _key(value: str, info: str) -> str:
    return f"{info}\n{value}"


def _file() -> Path:
    return home() / "plugins.json"


def _stamp(value: str, info: str) -> list[Any]:
    from mgc import __version__

    files = (os.path.dirname(info), f"{info}/RECORD", module_source(module_of(value)) or "")
    return [__version__, sys.version, sys.prefix, *map(_changed, files)]


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _seen(names: Sequence[str]) -> int:
    """A checksum of the values of these environment variables."""
    return zlib.crc32(repr([os.environ.get(name) for name in names]).encode("utf-8", "replace"))
