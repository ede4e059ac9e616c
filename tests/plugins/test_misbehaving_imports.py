"""Packages that misbehave when they are imported: only their own names are affected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mgc.plugins import declarations
from mgc.plugins.declarations import Point
from tests.plugins.packages import Result, run_mgc

DECLARES = """
from mgc import ExtractorInfo, hookimpl
@hookimpl
def mgc_extractors():
    yield ExtractorInfo(name="{name}", summary="x", load="{name}_code:X",
                        sample_rate=22_050, hop_samples=512)
"""
#: What a module does when it is imported → what is said of it ("": nothing, it is ready).
WAYS = {
    "raises": ("1 / 0", "ZeroDivisionError"),
    "raises_base": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "raises_exit": ("raise SystemExit(0)", "SystemExit: 0"),
    "raises_keyboard": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises_generator": ("raise GeneratorExit", "GeneratorExit"),
    "raises_memory": ("raise MemoryError", "MemoryError"),
    "raises_disk": ("raise OSError(28, 'No space')", "No space"),
    "raises_odd_text": ("raise ValueError('\\x1b[31m \\udcff')", "ValueError"),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "syntax": ("def", "SyntaxError"),
    "missing": ("import not_there_at_all", "ModuleNotFoundError"),
    "leaves_0": ("import os; os._exit(0)", "ends the process (exit code 0)"),
    "leaves_3": ("import os; os._exit(3)", "ends the process (exit code 3)"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "ends the process (exit code -11)"),
    "abort": ("import os; os.abort()", "ends the process (exit code -6)"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "ends the process (exit code -9)"),
    "terminate": ("import os; os.kill(os.getpid(), 15)", "ends the process (exit code -15)"),
    "odd_summary": (DECLARES.format(name="b").replace('"x"', r'"\x1b[31m"'), "has summary="),
    "prints": ("import os; print('hello'); os.write(1, b'hello'); os.write(2, b'hello')", ""),
    "closes": ("import os; os.close(1); os.close(2)", ""),
    "closes_all": ("import os; os.closerange(0, 256)", ""),
    "stdout": ("import sys; sys.stdout = sys.stderr = None", ""),
    "directory": ("import os; os.chdir('/')", ""),
    "home": ("import os; os.environ['MGC_HOME'] = '/nowhere'", ""),
    "signals": ("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", ""),
    "thread": ("import threading as t; t.Thread(target=t.Event().wait).start()", ""),
    "at_exit": ("import atexit, time; atexit.register(time.sleep, 3600)", ""),
    "patched_json": ("import json; json.dumps = json.loads = None", ""),
    "patched_mgc": ("import mgc.errors; mgc.errors.MgcError.__init__ = None", ""),
    "excepthook": ("import sys; sys.excepthook = sys.exit", ""),
    "path": ("import sys; sys.path.clear()", ""),
    "warns": ("import warnings; warnings.warn('odd')", ""),
}


def put(site: Path, name: str, code: str) -> str:
    """Install a package as pip would; returns its ``dist-info``."""
    info = site / f"odd_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"odd_{name}.py").write_text(f"{DECLARES.format(name=name)}\n{code}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: odd-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mgc]\nodd = odd_{name}\n")
    return str(info)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, a good one, and an unrelated package whose entry points are not UTF-8."""
    folder = tmp_path_factory.mktemp("site")
    for name, (code, _) in WAYS.items():
        put(folder, name, code)
    put(folder, "good", "")
    other = folder / "other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: other\nVersion: 1\nX: \xff\n")
    (other / "entry_points.txt").write_bytes(b"[console_scripts]\nx = caf\xe9:main\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def listed(site: Path, home: Path) -> Result:
    return run_mgc("plugins", "list", "--json", path=site, home=home)


def test_each_is_named_and_every_other_name_works(listed: Result) -> None:
    assert listed.code == 0, listed.err
    found = {plugin["distribution"]: plugin for plugin in json.loads(listed.out)}
    assert found.keys() >= {"mgc", "odd-good", *(f"odd-{name}" for name in WAYS)}
    assert found["mgc"]["status"] == "ready"
    broken = [e for e in found["mgc"]["brings"] if e["status"] in ("broken", "conflict")]
    assert broken == []
    assert found["odd-good"]["status"] == "ready"
    for name, (_, said) in WAYS.items():
        plugin = found[f"odd-{name}"]
        assert said in plugin["problem"], plugin
        assert plugin["status"] == ("broken" if said else "ready"), plugin


def test_other_commands_work_and_name_what_cannot_be_read(
    listed: Result, site: Path, home: Path
) -> None:
    result = run_mgc("features", "list", path=site, home=home)
    assert result.code == 0
    assert "good" in result.out
    assert "odd-segfault" in result.out + result.err
    result = run_mgc("features", "show", "segfault", path=site, home=home)
    assert result.code == 2
    assert "odd-segfault" in result.err
    assert run_mgc("--help", path=site, home=home).code == 0


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mgc_home: Path) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def point(site: Path, name: str, code: str) -> Point:
    return Point("odd", f"odd_{name}", f"odd-{name}", "1.0", put(site, name, code))


def test_what_hangs_is_named_and_not_tried_again(
    odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {"hang": "import time; time.sleep(3600)", "spin": "while True: pass"}
    points = [point(odd, name, code) for name, code in ways.items()]
    monkeypatch.setattr(declarations, "READ_SECONDS", 1.0)
    made = list(declarations.read(points))
    assert [one["problem"] for one in made] == ["importing it takes more than 1 s"] * 2
    monkeypatch.setattr(declarations, "_read_apart", lambda points: pytest.fail("read again"))
    declarations.forget_problems()
    declarations._cache.cache_clear()
    assert list(declarations.read(points)) == made


def test_a_module_is_read_again_only_if_something_that_counts_has_changed(
    odd: Path, monkeypatch: pytest.MonkeyPatch, mgc_home: Path
) -> None:
    read = "import os; os.environ.get('ODD_ONE'); os.environ.copy(); assert 'ODD_TWO' in os.environ"
    monkeypatch.setenv("ODD_TWO", "2")
    one = point(odd, "one", read)
    [made] = declarations.read([one])
    assert (made["problem"], [kind for kind, _ in made["records"]]) == ("", ["extractor"])
    assert (mgc_home / "plugins.json").exists()

    def known() -> bool:
        declarations._cache.cache_clear()
        return declarations.cached(one.value, one.info) is not None

    assert known()
    monkeypatch.setenv("ODD_THREE", "not read")
    assert known()
    for name in ("ODD_ONE", "ODD_TWO"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "other")
            assert not known()
    assert known()
    for path in (f"{one.info}/RECORD", odd / "odd_one.py", odd):
        list(declarations.read([one]))
        assert known()
        Path(path).touch() if path != odd else put(odd, "another", "")
        assert not known()


def test_without_a_home_to_write_it_is_read_each_time(
    odd: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "file" / "home"))
    good = point(odd, "good", "")
    for _ in range(2):
        declarations._cache.cache_clear()
        assert declarations.cached(good.value, good.info) is None
        [made] = declarations.read([good])
        assert made["problem"] == ""
