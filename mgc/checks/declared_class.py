"""Checks of the class that a declaration names, whatever its kind; a command has none."""

from __future__ import annotations

import dataclasses
import json

from mgc.checks import require
from mgc.checks.base import Problem, Subject
from mgc.errors import MgcError
from mgc.plugins import params as plugin_params


def check_code_loads(subject: Subject) -> None:
    """The class behind the record can be loaded."""
    wanted = f"a class at {subject.info.load!r}"
    found = require.loaded(subject, wanted)
    if not isinstance(found, type):
        mend = "let load=… name the class itself, not an instance or a function"
        raise Problem(wanted, f"a {type(found).__name__}", mend)


def check_params_class(subject: Subject) -> None:
    """Params is a frozen dataclass with a default for every field."""
    cls = plugin_params.params_class(subject.implementation)
    mend = "write @dataclass(frozen=True) class Params: with a default for every field"
    frozen = dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not isinstance(cls, type) or not frozen:
        raise Problem("Params is a frozen dataclass", repr(cls), mend)
    missing = dataclasses.MISSING
    bare = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is missing and field.default_factory is missing
    ]
    if bare:
        raise Problem("a default for every parameter", f"none for {', '.join(bare)}", mend)


def check_params_round_trip(subject: Subject) -> None:
    """Parameters survive a round trip through JSON, in which a run stores them."""
    cls = plugin_params.params_class(subject.implementation)
    for params in (cls(), subject.params):
        mend = "use int, float, str, bool, None, Literal and tuples of them, with fitting defaults"
        try:
            stored = json.loads(json.dumps(plugin_params.as_dict(params), allow_nan=False))
            back = plugin_params.build(cls, stored, f"{subject.entry.kind} {subject.info.name}")
        except (TypeError, ValueError, MgcError) as error:
            raise Problem("values that JSON can hold", str(error), mend) from error
        if back != params:
            raise Problem(repr(params), repr(back), mend)
