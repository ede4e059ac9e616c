"""The names and types of a plug-in's parameters, read from source code: a wrong name or value is
refused before anything slow is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from mgc.errors import UsageError
from mgc.plugins.declarations import module_source

#: Parameters by name, in order, as their class declares them; None if only the name is known.
Declared: TypeAlias = Mapping[str, ast.AnnAssign | None]
NUMBERS = {
    "int": "a whole number",
    "float": "a number",
    "PositiveInt": "a whole number above 0",
    "PositiveFloat": "a number above 0",
    "NonNegativeFloat": "a number of at least 0",
    "Fraction": "a number of at least 0 and below 1",
}
#: A module of mgc's own that imports only these is imported before anything else is.
QUICK = ("__future__", "dataclasses", "typing", "mgc.plugins.params")


def declared(load: str) -> Declared:
    """The parameters of the class ``module:Class``.

    Raises LookupError if its source, and that of the modules it imports them from, does not tell.
    """
    module, _, name = load.partition(":")
    try:
        return _fields(*_params(module, name))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise LookupError(load) from error


def fields_of(dataclass: type) -> Declared:
    """The fields of a class of mgc's own, in the same form."""
    return _fields(*_definition(dataclass.__module__, dataclass.__name__))


def quick_class(load: str) -> type | None:
    """The class of the parameters of a built-in ``module:Class``; None if its import is slow."""
    try:
        module, found = _params(*load.split(":"))
    except LookupError:
        return None
    imported = [n for n in _tree(module).body if isinstance(n, ast.Import | ast.ImportFrom)]
    quick = all(isinstance(node, ast.ImportFrom) and node.module in QUICK for node in imported)
    if not quick or not module.startswith("mgc."):
        return None
    made: type = getattr(import_module(module), found.name)
    return made


def check(owner: str, parameters: Declared, name: str, value: Any) -> None:
    """Raise UsageError for a value that the type of a parameter of ``owner`` clearly excludes."""
    field = parameters[name]
    wanted = [] if field is None else [*_wanted(field.annotation, value)]
    if field and wanted and "" not in wanted:
        raise UsageError(
            f"{owner}: {name}={value!r} cannot be used: it must be {' or '.join(wanted)}.",
            f"Its default is {ast.unparse(field.value)}." if field.value else "",
        )


def _wanted(annotation: ast.expr, value: Any) -> Iterator[str]:
    """What each type of a union wants instead of a value; "" if it may take the value."""
    match annotation:
        case ast.BinOp(left=left, right=right):
            yield from _wanted(left, value)
            yield from _wanted(right, value)
        case ast.Name(kind) if kind in NUMBERS:
            yield "" if _may_be(kind, value) else NUMBERS[kind]
        case ast.Constant(None):
            yield "" if value is None else "null"
        case ast.Subscript(ast.Name("Literal"), chosen):
            options = ast.literal_eval(chosen)
            options = options if isinstance(options, tuple) else (options,)
            yield "" if value in options else " or ".join(map(str, options))
        case _:
            yield ""


def _may_be(kind: str, value: Any) -> bool:
    try:
        number = float(value)
    except OverflowError:
        return True
    except (TypeError, ValueError):
        return False
    if kind == "Fraction":
        return 0 <= number < 1
    return (number.is_integer() or "loat" in kind) and (
        number > 0 or "tive" not in kind or (number == 0 and kind.startswith("Non"))
    )


def _params(module: str, name: str) -> tuple[str, ast.ClassDef]:
    """The class that a class, or the first of its bases, names ``Params``."""
    module, found = _definition(module, name)
    for node in found.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name("Params")], value=ast.Name(params))
                | ast.AnnAssign(target=ast.Name("Params"), value=ast.Name(params))
            ):
                return _definition(module, params)
            case ast.ClassDef("Params"):
                return module, node
    return _params(module, _first_base(found))


def _fields(module: str, found: ast.ClassDef) -> Declared:
    if not any("dataclass" in ast.unparse(each) for each in found.decorator_list):
        raise LookupError(found.name)
    inherited = _fields(*_definition(module, _first_base(found))) if found.bases else {}
    own = {
        node.target.id: node
        for node in found.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and "ClassVar" not in ast.unparse(node.annotation)
    }
    return {**inherited, **own}


def _first_base(found: ast.ClassDef) -> str:
    match found.bases:
        case [ast.Name(base), *_]:
            return base
    raise LookupError(found.name)


def _definition(module: str, name: str) -> tuple[str, ast.ClassDef]:
    """The statement that defines a class, and the module that it is in."""
    for node in _tree(module).body:
        match node:
            case ast.ClassDef() if node.name == name:
                return module, node
            case ast.ImportFrom(module=str(source), level=0):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        return _definition(source, alias.name)
    raise LookupError(f"{module}:{name}")


@cache
def _tree(module: str) -> ast.Module:
    path = module_source(module)
    if path is None or not path.endswith(".py"):
        raise LookupError(module)
    return ast.parse(Path(path).read_bytes())
