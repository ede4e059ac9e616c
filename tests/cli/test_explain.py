"""``mgc explain`` as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mgc import fitting, load
from mgc.datasets.importers import importing
from mgc.reporting.time_plots import draw_explanation
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]


def test_what_is_said_and_written(mgc: Call, mgc_home: Path, music: Path, tmp_path: Path) -> None:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    run = fitting.fit(asked())
    song = next((music / "jazz").rglob("*.wav"))
    told = mgc("explain", song, "-o", tmp_path / "why")
    assert (told.code, told.out.split()[0]) == (0, "jazz")
    assert "Most telling: 0:00–0:03" in told.out
    assert "8,000–11,025 Hz" in told.out
    written = {path.name: path.read_bytes() for path in (tmp_path / "why").iterdir()}
    assert sorted(written) == ["explanation.json", "explanation.png", "telling.wav"]
    assert written["explanation.png"].startswith(b"\x89PNG")
    assert "speaks for it" in told.out
    above, beside = (
        draw_explanation(load(run.folder).explain(song)).axes[place] for place in (0, 3)
    )
    assert above.get_ylabel() == beside.get_xlabel() == "speaks for it"
    record = mgc("explain", song, "--genre", "metal", "--json").json
    assert record["genre"] == "metal"
    assert len(record["seconds"]) == 6
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    for code, wrong in (
        (2, (song, "--genre", "polka")),
        (2, (song, "-o", bad)),
        (2, (tmp_path / "gone.wav",)),
        (1, (bad,)),
    ):
        told = mgc("explain", *wrong)
        assert (told.code, told.out) == (code, ""), wrong
