"""What is kept of other packages' declarations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mgc.plugins import declarations


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
