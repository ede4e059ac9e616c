"""Checks a plug-in's record when it is read: a wrong type would fail far from here, and late."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mgc.errors import MgcError
from mgc.plugins.contract import KINDS

#: A name is typed on a command line and becomes the name of a folder.
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def check(kind: str, info: object, module: str) -> None:
    """Raise MgcError, saying what to write instead, if ``info`` is not a valid ``kind`` record.

    ``module`` is the plug-in module that declared it, for the message.
    """
    record = KINDS[kind]
    if not isinstance(info, record):
        raise MgcError(
            f"{module} yields {_an(info)} where {record.__name__} belongs",
            f"yield mgc.{record.__name__}(…)",
        )
    for field, wanted in _types(record).items():
        value = getattr(info, field)
        if not _fits(value, wanted):
            raise MgcError(
                f"{module}: {kind} {getattr(info, 'name', '?')!r} has {field}={value!r}",
                f"{field} must be {_words(wanted)}",
            )
    _check_values(kind, vars(info), module)


def _check_values(kind: str, values: Mapping[str, Any], module: str) -> None:
    """The rules that types do not express."""
    name = values["name"]
    if not NAME.fullmatch(name):
        raise MgcError(
            f"{module}: a plug-in cannot be named {name!r}",
            "a name has lower-case letters, digits and - _ . and begins with a letter or digit",
        )
    package, colon, attribute = values["load"].partition(":")
    if not (package and colon and attribute.isidentifier()):
        raise MgcError(
            f"{module}: {kind} {name!r} names its code as {values['load']!r}",
            'write load="package.module:Class"',
        )
    for field, value in values.items():
        if isinstance(value, str) and not value.replace("\n", "").isprintable():
            raise MgcError(
                f"{module}: {kind} {name!r} has {field}={value!a}",
                "leave out what cannot be printed",
            )
    genres = values.get("genres", ("two", "or more"))
    if len({*genres} - {""}) < max(2, len(genres)):
        raise MgcError(
            f"{module}: {kind} {name!r} has genres={genres!r}",
            "name at least two genres, each once",
        )
    for field in ("sample_rate", "hop_samples", "window_samples", "revision"):
        value = values.get(field)
        if value is not None and value < 1:
            raise MgcError(
                f"{module}: {kind} {name!r} has {field}={value}", f"{field} must be at least 1"
            )


_types = cache(get_type_hints)


def _fits(value: object, wanted: Any) -> bool:
    """Whether a value is of one of the few types that records use."""
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if get_origin(wanted) is tuple:
        return isinstance(value, tuple) and all(_fits(v, get_args(wanted)[0]) for v in value)
    if get_args(wanted):  # int | None
        return any(_fits(value, one) for one in get_args(wanted))
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _words(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return " or ".join(repr(value) for value in get_args(wanted))
    if get_origin(wanted) is tuple:
        return f"a tuple, each {_words(get_args(wanted)[0])}; of one: (value,)"
    if get_args(wanted):
        return " or ".join(_words(one) for one in get_args(wanted))
    words = {str: "text", int: "a whole number", bool: "True or False", type(None): "None"}
    return words.get(wanted, str(wanted))


def _an(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
