"""What is kept of other packages' declarations."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mgc.plugins import declarations, environment_reads


def test_what_another_process_has_kept_meanwhile_stays(mgc_home: Path, tmp_path: Path) -> None:
    (mgc_home / "plugins.json").unlink(missing_ok=True)
    mine, other = (f"{tmp_path}\n{name}" for name in ("mine", "other"))
    file = declarations._file()
    assert declarations._cache(file) == {}  # read before the other writes
    whole = dict.fromkeys(declarations.KEPT, "")
    file.write_text(json.dumps({other: whole}))
    declarations._keep({mine: {**whole, "problem": "broken"}})
    assert json.loads(file.read_text()) == {other: whole, mine: {**whole, "problem": "broken"}}


@pytest.mark.parametrize("kept", ['{"x": {"problem": ""}}', '{"x": 1}', "[]", "{", "null"])
def test_a_file_of_another_form_is_not_used(mgc_home: Path, kept: str) -> None:
    declarations._file().write_text(kept)
    assert declarations._stored(declarations._file()) == {}
    declarations.forget_problems()


def test_copying_the_environment_reads_nothing_in_particular(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_ONE", "1")
    monkeypatch.setenv("ODD_TWO", "2")
    file = tmp_path / "names"
    monkeypatch.setattr(environment_reads.ReadNames, "file", str(file))
    before = dict(os.environ)
    monkeypatch.setattr(os.environ, "__class__", environment_reads.ReadNames)
    copies = [dict(os.environ), {**os.environ}, dict(os.environ.items()), os.environ.copy()]
    copies.append({name: os.environ[name] for name in os.environ})
    assert copies == 5 * [before]
    assert environment_reads.in_particular(file.read_text()) == []
    assert [os.environ[name] for name in os.environ if name.startswith("ODD_")] == ["1", "2"]
    os.environ.get("ODD_THREE")
    assert environment_reads.in_particular(file.read_text()) == ["ODD_ONE", "ODD_THREE", "ODD_TWO"]
