"""The parameters of a plug-in: read from text, checked, described.

A plug-in's ``Params`` is a plain frozen dataclass. Values from ``--set name=value`` are read as
JSON if they are JSON (numbers, true, null, lists) and as text otherwise, then checked against the
field's type by pydantic, which handles unions, literals and bounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Lt

from mgc.errors import UsageError, unknown

#: pydantic's own, which takes 0.2 s to import.
PositiveInt = Annotated[int, Gt(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
PLAIN = (bool, int, float, str, NoneType)


@dataclass(frozen=True)
class NoParams:
    """For a plug-in without parameters."""


def params_class(implementation: type) -> type:
    """The ``Params`` of an extractor, head or strategy class; an empty one if it has none."""
    return getattr(implementation, "Params", NoParams)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """``["n_mels=96", "layer=mean"]`` → ``{"n_mels": 96, "layer": "mean"}``.

    Raises UsageError if there is no ``=``.
    """
    values: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {text!r} is not NAME=VALUE.", "For example: --set n_mels=96")
        values[name.strip()] = _literal(value.strip())
    return values


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def build(cls: type, values: Mapping[str, Any], owner: str) -> Any:
    """An instance of a Params class with ``values`` set and checked.

    ``owner`` names the plug-in in errors. Raises UsageError for an unknown name or a bad value.
    """
    names = [field.name for field in fields(cls)]
    for name in values:
        if name not in names:
            raise unknown(f"parameter of {owner}", name, names, f"mgc … show {owner.split()[-1]}")
    made = _as_they_are(cls, values, owner)
    if made is None:
        made = _checked(cls, values, owner)
    for name, value in as_dict(made).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _refused(cls, owner, name, value, "Input should be a finite number")
    return made


def _as_they_are(cls: type, values: Mapping[str, Any], owner: str) -> Any:
    """An instance if every value clearly has its field's type, or is the default, as in the record
    of a run; else None. This avoids importing pydantic."""
    try:
        hints = get_type_hints(cls, include_extras=True) if values else {}
        defaults = {field.name: _default(field) for field in fields(cls)}
        if not all(_is_plain(v, hints[name], defaults[name]) for name, v in values.items()):
            return None
    except (TypeError, ValueError, NameError):  # pydantic explains better what is wrong
        return None
    try:
        return cls(**values)
    except ValueError as error:  # their combination
        raise _refused(cls, owner, "", None, str(error)) from error


def _is_plain(value: Any, hint: Any, default: Any) -> bool:
    """Whether pydantic would return ``value`` unchanged, as far as can be told without it."""
    if get_origin(hint) is Annotated:
        plain, *bounds = get_args(hint)
        return _is_plain(value, plain, default) and (
            _same(value, default) or all(_holds(bound, value) for bound in bounds)
        )
    if get_origin(hint) in (Union, UnionType):
        return any(_is_plain(value, part, default) for part in get_args(hint))
    if get_origin(hint) is Literal:
        return any(_same(value, one) for one in get_args(hint))
    return type(value) in PLAIN and type(value) is (NoneType if hint is None else hint)


def _holds(bound: Any, value: Any) -> bool:
    """Whether a value is known to be within a bound."""
    if isinstance(bound, Gt):
        return bool(value > bound.gt)
    if isinstance(bound, Lt):
        return bool(value < bound.lt)
    return isinstance(bound, Ge) and bool(value >= bound.ge)


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other


def _checked(cls: type, values: Mapping[str, Any], owner: str) -> Any:
    """An instance with values that pydantic has checked, and converted if necessary."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        name, reason = _first_error(error)
        raise _refused(cls, owner, name, values.get(name), reason) from error


def _first_error(error: Any) -> tuple[str, str]:
    """The first parameter that is rejected ("" if it is their combination), and every reason given
    for it."""
    found = error.errors()
    where = found[0]["loc"][:1]
    same = [e["msg"].removeprefix("Value error, ") for e in found if e["loc"][:1] == where]
    return "".join(map(str, where)), "; or: ".join(dict.fromkeys(same))


def _refused(cls: type, owner: str, name: str, value: Any, reason: str) -> UsageError:
    what = f"{name}={value!r} cannot be used: {reason}" if name else reason
    return UsageError(
        f"{owner}: {what}.",
        "Its parameters: " + ", ".join(f"{n}={d!r}" for n, _, d in describe(cls)),
    )


def describe(cls: type) -> list[tuple[str, str, Any]]:
    """(name, type as written, default) of each parameter."""
    return [
        (field.name, getattr(field.type, "__name__", str(field.type)), _default(field))
        for field in fields(cls)
    ]


def as_dict(params: Any) -> dict[str, Any]:
    """A Params instance as JSON-ready values, defaults included."""
    return asdict(params)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None
