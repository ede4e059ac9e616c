"""A run of two genres, and mgc's command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mgc_library import tags

from . import library


@pytest.fixture(scope="session", autouse=True)
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a run that tells calm from harsh, learnt from tags alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(tmp_path_factory.mktemp("home")))
        music = tmp_path_factory.mktemp("music")
        for genre in ("calm", "harsh"):
            for number in range(20):
                path = music / f"{number} {genre[0]}.flac"
                tags.write(library.write(path, library.sound(genre, number)), [genre])
        import mgc

        mgc.datasets.add("two", music, genre_from="tag")
        yield mgc.fit("two", "mfcc", "logistic").name


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def mgc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Call the command line in this process."""
    from mgc.cli import app

    def call(*words: object) -> Said:
        # Sounds as simple as these are no music, which is not what is tested here.
        more = ["--unknown", "0"] if words[0] != "features" and "--undo" not in words else []
        monkeypatch.setattr(sys, "argv", ["mgc", *map(str, words), *more])
        capsys.readouterr()
        code = 0
        try:
            app.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call
