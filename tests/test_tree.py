"""The rules that keep the tree readable: short files, short functions, one meaning per name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mgc"
FILES = sorted([*PACKAGE.rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")])
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_TOP_LEVEL = 22
NOT_COUNTED = {"__init__.py", "__main__.py", "py.typed", "__pycache__"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement after the docstring to the end.

    The signature does not count: a command's is its list of options.
    """
    first = function.body[0]
    if ast.get_docstring(function) is not None and len(function.body) > 1:
        first = function.body[1]
    return (function.end_lineno or 0) - first.lineno + 1


def repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def test_the_files_that_are_held_to_the_rules_are_found() -> None:
    assert len(FILES) > 200
    assert {path.parts[len(ROOT.parts)] for path in FILES} == {"mgc", "plugins"}


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {path: n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": lines_of_code(function)
        for path in FILES
        for function in functions(path)
    }
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}


def test_no_class_name_is_defined_twice() -> None:
    found = [
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    ]
    assert repeated(found) == []


def test_no_module_name_is_used_twice() -> None:
    """Except in ``cli/commands``, where a module is named after its command."""
    commands = PACKAGE / "cli" / "commands"
    found = [
        path.stem
        for path in PACKAGE.rglob("*.py")
        if path.parent != commands and path.name != "__init__.py"
    ]
    assert repeated(found) == []


def test_the_top_level_is_small() -> None:
    entries = {path.name for path in PACKAGE.iterdir()} - NOT_COUNTED
    assert len(entries) <= MAX_TOP_LEVEL, sorted(entries)


def test_typed_packages_say_so() -> None:
    for package in [PACKAGE, *(path.parent for path in ROOT.glob("plugins/*/src/*/plugin.py"))]:
        assert (package / "py.typed").exists(), package


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f(a,\n      b):\n    return a", 1),
        ('def f():\n    """Doc.\n\n    More.\n    """\n    a = 1\n\n    return a', 3),
        ('def f():\n    """Doc."""', 1),
    ],
)
def test_what_counts_as_a_functions_length(source: str, lines: int) -> None:
    [function] = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert lines_of_code(function) == lines
