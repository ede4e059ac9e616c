"""``mgc similar`` as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mgc import fitting
from mgc.datasets.importers import importing
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]


def test_a_track_a_file_and_what_is_refused(
    mgc: Call, mgc_home: Path, music: Path, tmp_path: Path
) -> None:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    run = fitting.fit(asked())
    track = str(run.tracks.index[0])
    told = mgc("similar", track, "--run", run.name)
    assert (told.code, len(told.out.splitlines())) == (0, 11)
    assert told.out.split()[:6] == ["distance", "track", "genre", "artist", "title", "path"]
    [first, *_] = mgc("similar", track, "--among", run.name, "--json").json
    assert mgc("similar", run.tracks["path"].iloc[0], "--among", "m", "--json").json[0] == first
    assert mgc("similar", track, "--count", "2", "--json").json[0] == first
    for wrong in (("nobody",), (track, "--among", "nowhere"), (track, "--count", "0")):
        told = mgc("similar", *wrong)
        assert (told.code, told.out) == (2, ""), wrong
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    assert mgc("similar", tmp_path / "bad.wav").code == 1
