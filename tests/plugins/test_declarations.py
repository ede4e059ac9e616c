"""What is kept of other packages' declarations."""

from __future__ import annotations

import json
from pathlib import Path

from mgc.plugins import declarations


def test_what_another_process_has_kept_meanwhile_stays(mgc_home: Path, tmp_path: Path) -> None:
    mgc_home.mkdir()
    mine, other = (f"{tmp_path}\n{name}" for name in ("mine", "other"))
    file = declarations._file()
    assert declarations._cache(file) == {}  # read before the other writes
    file.write_text(json.dumps({other: {"problem": ""}}))
    declarations._keep({mine: {"problem": "broken"}})
    kept = json.loads(file.read_text())
    assert kept == {other: {"problem": ""}, mine: {"problem": "broken"}}
