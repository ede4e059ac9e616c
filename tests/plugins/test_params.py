"""Parameters from text: parsed, checked against the plug-in's own class, described."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from mgc import UsageError
from mgc.plugins import params


@dataclass(frozen=True)
class Example:
    """One parameter of each type that plug-ins use."""

    count: int = 3
    rate: float = 0.5
    name: str = "base"
    layer: int | str = "mean"
    mode: Literal["one", "max"] = "one"
    top: float | None = None
    flag: bool = False
    widths: tuple[int, ...] = (8, 16)
    bounded: Annotated[int, Field(ge=1, le=9)] = 5
    made: tuple[str, ...] = field(default_factory=lambda: ("a",))


def built(*assignments: str) -> Example:
    return params.build(Example, params.parse_assignments(assignments), "extractor example")


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("count=96", "count", 96),
        ("count=96.0", "count", 96),
        ("rate=1", "rate", 1.0),
        ("rate=1e-3", "rate", 0.001),
        ("name=large-v3", "name", "large-v3"),
        ('name="2024"', "name", "2024"),
        ("name=a=b", "name", "a=b"),
        ("layer=7", "layer", 7),
        ("layer=last", "layer", "last"),
        ("mode=max", "mode", "max"),
        ("top=80", "top", 80.0),
        ("top=null", "top", None),
        ("top=None", "top", None),
        ("flag=true", "flag", True),
        ("flag=False", "flag", False),
        ("widths=[1,2,3]", "widths", (1, 2, 3)),
        (" count = 4 ", "count", 4),
    ],
)
def test_text_becomes_the_value_of_the_type(assignment: str, name: str, value: object) -> None:
    got = getattr(built(assignment), name)
    assert got == value
    assert type(got) is type(value)


def test_defaults_stay_where_nothing_is_set() -> None:
    assert built() == Example()


def test_the_last_of_two_assignments_counts() -> None:
    assert built("count=1", "count=2").count == 2


@pytest.mark.parametrize("text", ["count", "=3", " =3", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=VALUE") as caught:
        params.parse_assignments([text])
    assert "--set n_mels=96" in caught.value.hint


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("count=many", "valid integer"),
        ("count=1.5", "valid integer"),
        ("mode=mean", "'one' or 'max'"),
        ("top=loud", "valid number"),
        ("widths=3", "valid tuple"),
        ("widths=[1,x]", "valid tuple"),
        ("name=2024", "valid string"),
        ("bounded=10", "less than or equal to 9"),
        ("rate=NaN", "finite"),
        ("rate=inf", "finite"),
        ("rate=-Infinity", "finite"),
        ("layer=[1]", "valid integer; or: Input should be a valid string"),
    ],
)
def test_a_bad_value_names_the_plugin_the_value_and_the_reason(
    assignment: str, reason: str
) -> None:
    name, _, _ = assignment.partition("=")
    with pytest.raises(UsageError) as caught:
        built(assignment)
    assert caught.value.message.startswith(f"extractor example: {name}=")
    assert "=None cannot" not in caught.value.message
    assert reason in caught.value.message
    assert "count=3" in caught.value.hint


def test_an_unknown_parameter_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError) as caught:
        built("cuont=3")
    assert "No parameter of extractor example is named 'cuont'" in caught.value.message
    assert "Did you mean 'count'?" in caught.value.hint


def test_values_survive_the_way_through_json() -> None:
    made = built("widths=[4]", "layer=2", "top=3")
    stored = json.loads(json.dumps(params.as_dict(made)))
    assert params.build(Example, stored, "extractor example") == made


def test_description_shows_types_as_written_and_defaults() -> None:
    described = {name: (kind, default) for name, kind, default in params.describe(Example)}
    assert described["layer"] == ("int | str", "mean")
    assert described["top"] == ("float | None", None)
    assert described["made"] == ("tuple[str, ...]", ("a",))


def test_a_plugin_without_params_has_none() -> None:
    class Plain:
        pass

    assert params.describe(params.params_class(Plain)) == []
    with pytest.raises(UsageError, match="No parameter of head plain"):
        params.build(params.params_class(Plain), {"C": 1}, "head plain")


@dataclass(frozen=True)
class Various:
    whole: int = 1
    real: float = 1  # an int as it stands, a float once it is given
    mode: Literal["one", "max"] = "one"
    limit: float | None = None
    bounded: params.PositiveInt = 3
    either: int | str = "mean"
    flag: bool = False


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"whole": 2, "real": 2.5, "mode": "max", "limit": 1.5, "either": 3, "flag": True},
        {"real": 1},
        {"whole": 2.0},
        {"whole": True},
        {"limit": 3},
        {"limit": None},
        {"bounded": 3},
        {"bounded": 4},
        {"either": "last"},
        {"flag": 1},
    ],
)
def test_what_is_built_without_pydantic_is_what_pydantic_builds(values: dict[str, Any]) -> None:
    made = params.build(Various, values, "head various")
    expected = TypeAdapter(Various).validate_python(values)
    assert repr(made) == repr(expected)  # 1 and 1.0 are equal, and another fingerprint


@pytest.mark.parametrize("values", [{"bounded": 0}, {"whole": 1.5}, {"mode": "none"}])
def test_what_pydantic_refuses_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        params.build(Various, values, "head various")


def test_the_values_of_a_record_are_taken_without_pydantic() -> None:
    program = (
        "import sys\n"
        "from mgc.heads.logistic import LogisticParams\n"
        "from mgc.extractors.mel import MelParams\n"
        "from mgc.plugins import params\n"
        "for cls in (LogisticParams, MelParams):\n"
        "    assert params.build(cls, params.as_dict(cls()), 'x') == cls()\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
