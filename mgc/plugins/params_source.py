"""The names of a plug-in's parameters, read from source code: a wrong one is refused before
anything slow is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from mgc.plugins.declarations import module_source


def parameter_names(load: str) -> list[str]:
    """The names of the parameters of the class ``module:Class``, in order.

    Raises LookupError if its source, and that of the modules it imports them from, does not tell.
    """
    module, _, name = load.partition(":")
    try:
        return _fields(*_params(module, name))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise LookupError(load) from error


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


def _fields(module: str, found: ast.ClassDef) -> list[str]:
    if not any("dataclass" in ast.unparse(each) for each in found.decorator_list):
        raise LookupError(found.name)
    inherited = _fields(*_definition(module, _first_base(found))) if found.bases else []
    own = [
        node.target.id
        for node in found.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and "ClassVar" not in ast.unparse(node.annotation)
    ]
    return list(dict.fromkeys([*inherited, *own]))


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
