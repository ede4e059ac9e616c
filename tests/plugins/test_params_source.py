"""The names of parameters, read from source."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mgc import resolve
from mgc.plugins import params, params_source, registry
from mgc.plugins.contract import NOUNS

PLUGINS = [
    (kind, entry)
    for kind in NOUNS
    for entry in registry.catalogue().entries(kind)
    if entry.status == "ready" and kind != "model"  # a function, without parameters
]
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
    assert params_source.parameter_names(entry.info.load) == known
    name = entry.info.name
    assert resolve.parameters_of({name: (kind, name)}) == ({name: known}, [])


def test_what_source_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mgc_test_source.py").write_text(SOURCE)
    (tmp_path / "mgc_test_values.py").write_text(VALUES)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Plain", "Child"):
        assert params_source.parameter_names(f"mgc_test_source:{name}") == ["first", "own"]
    assert params_source.parameter_names("mgc_test_source:Nested") == ["inner"]
    assert params_source.parameter_names("mgc_test_source:Imported") == ["first", "own"]
    for name in ("Computed", "Absent"):
        with pytest.raises(LookupError):
            params_source.parameter_names(f"mgc_test_source:{name}")
    with pytest.raises(LookupError):
        params_source.parameter_names("mgc_no_such_module:Plain")
