"""The names and types of parameters, read from source."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mgc import resolve
from mgc.errors import UsageError
from mgc.plugins import params, params_source, registry
from mgc.plugins.contract import NOUNS

PLUGINS = [
    (kind, entry)
    for kind in NOUNS
    for entry in registry.catalogue().entries(kind)
    if entry.status == "ready" and kind != "model"  # a function, without parameters
]
VALUES_TRIED = (
    *("abc", "-3", "0", "1", "1.5", "3.0", '"12"', "null", "true", "[1]", "1e400", "-0.0"),
    *("NaN", "max", "auto", "{}", "9" * 400),
)
TYPES = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Settings:
    whole: int = 1
    above: PositiveInt = 2
    level: NonNegativeFloat | None = 0.5
    mode: Literal["one", "max"] = "one"
    share: Fraction = 0.5
    other: Annotated[str, Anything] = ""

class Plain:
    Params = Settings
"""
SOURCE = """
from dataclasses import dataclass
from typing import ClassVar
from mgc_test_values import Base as Inherited

@dataclass(frozen=True)
class Settings(Inherited):
    unit: ClassVar[str] = "dB"
    own: int = 2

class Plain:
    Params: type = Settings

class Child(Plain):
    pass

class Nested:
    @dataclass
    class Params:
        inner: int = 1

class Computed:
    Params = make()

class Imported:
    Params = Inherited
"""
VALUES = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Base:
    first: float = 1.0
    own: int = 1
"""


@pytest.mark.parametrize(("kind", "entry"), PLUGINS, ids=[e.info.name for _, e in PLUGINS])
def test_source_and_class_name_the_same_parameters(kind: str, entry: registry.Entry) -> None:
    known = [field.name for field in fields(params.params_class(registry.load(entry)))]
    assert [*params_source.declared(entry.info.load)] == known
    name = entry.info.name
    found, broken = resolve.parameters_of({name: (kind, name)})
    assert [*found[name]] == known
    assert broken == []


@pytest.mark.parametrize(("kind", "entry"), PLUGINS, ids=[e.info.name for _, e in PLUGINS])
def test_what_source_refuses_the_class_refuses_too(kind: str, entry: registry.Entry) -> None:
    cls = params.params_class(registry.load(entry))
    parameters = params_source.declared(entry.info.load)
    for name in parameters:
        for text in VALUES_TRIED:
            ((_, value),) = params.parse_assignments([f"{name}={text}"]).items()
            try:
                params_source.check(kind, parameters, name, value)
            except UsageError:
                with pytest.raises(UsageError):
                    params.build(cls, {name: value}, kind)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("whole", "abc", "a whole number"),
        ("whole", "1.5", "a whole number"),
        ("whole", "null", "a whole number"),
        ("whole", "3.0", ""),
        ("whole", '"12"', ""),
        ("whole", "-3", ""),
        ("above", "0", "a whole number above 0"),
        ("above", "1", ""),
        ("level", "-1", "a number of at least 0 or null"),
        ("level", "0", ""),
        ("level", "null", ""),
        ("mode", "3", "one or max"),
        ("mode", "max", ""),
        ("share", "1", "a number of at least 0 and below 1"),
        ("share", "0", ""),
        ("other", "anything", ""),
    ],
)
def test_values_that_a_type_excludes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, wanted: str
) -> None:
    (tmp_path / "mgc_test_types.py").write_text(TYPES)
    monkeypatch.syspath_prepend(tmp_path)
    parameters = params_source.declared("mgc_test_types:Plain")
    given: dict[str, Any] = params.parse_assignments([f"{name}={text}"])
    if not wanted:
        params_source.check("plain", parameters, name, given[name])
        return
    with pytest.raises(UsageError, match=f"it must be {wanted}\\.") as refused:
        params_source.check("plain", parameters, name, given[name])
    assert refused.value.message.startswith(f"plain: {name}=")
    assert refused.value.hint.startswith("Its default is ")


@pytest.mark.parametrize(
    ("extractor", "setting"),
    [("mel", "n_fft=7"), ("mel", "fmin=-1"), ("mfcc", "n_mfcc=500"), ("chroma", "n_chroma=999")],
)
def test_values_that_only_the_class_excludes_are_refused_before_torch(
    extractor: str, setting: str
) -> None:
    asked = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys; from mgc import resolve\n"
            f"try: resolve.check_settings([{extractor!r}], [], [{setting!r}])\n"
            "except resolve.UsageError as error: print(error, 'torch' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert asked.startswith(f"extractor {extractor}: ")
    assert asked.endswith(" False\n")


def test_what_source_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mgc_test_source.py").write_text(SOURCE)
    (tmp_path / "mgc_test_values.py").write_text(VALUES)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Plain", "Child"):
        assert [*params_source.declared(f"mgc_test_source:{name}")] == ["first", "own"]
    assert [*params_source.declared("mgc_test_source:Nested")] == ["inner"]
    assert [*params_source.declared("mgc_test_source:Imported")] == ["first", "own"]
    for name in ("Computed", "Absent"):
        with pytest.raises(LookupError):
            params_source.declared(f"mgc_test_source:{name}")
    with pytest.raises(LookupError):
        params_source.declared("mgc_no_such_module:Plain")
