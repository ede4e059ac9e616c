"""Genres by name: what an extractor that embeds text, installed for real, answers and refuses."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mgc
from mgc import MgcError, UsageError
from mgc.datasets.synthesis.compose import synthesise
from mgc.datasets.synthesis.not_music import not_music
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import registry
from mgc.prediction import zero_shot
from mgc.prediction.zero_shot import checked
from mgc.runs.reference import any_music
from tests.conftest import Told
from tests.plugins.packages import install, write_wheel

Call = Callable[..., Told]

PLUGIN = """
from mgc import ExtractorInfo, hookimpl

@hookimpl
def mgc_extractors():
    for name in {names}:
        yield ExtractorInfo(name=name, summary="bass, treble and words", kind="vector",
                            load="mgc_words.words:Words", sample_rate=16_000, hop_samples=400,
                            weights="weights/large" if name == "large" else "")
"""
WORDS = '''
import torch

class Words:
    """How much of a clip is below 1 kHz, how much above; words that say so."""

    logit_scale = 5.0
    prompts = ("{}", "much {} is heard")

    def __init__(self, params, device): ...

    def __call__(self, clips):
        power = clips.power_spectrum(1024, 400).mean(1)
        return torch.stack([power[:, :64].sum(-1), power[:, 64:].sum(-1)], dim=1).sqrt()

    def embed_text(self, texts):
        return torch.tensor([[3.0 * ("bass" in text), 2.0 * ("treble" in text)] for text in texts])
'''


@pytest.fixture
def words(
    tmp_path: Path, mgc_home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The package, installed; its extractors' names are the fixture's parameter, and only they
    embed text, whatever else is installed."""
    files = {
        "mgc_words/plugin.py": PLUGIN.format(names=getattr(request, "param", ("words",))),
        "mgc_words/words.py": WORDS,
        "mgc_words/__init__.py": "",
    }
    wheel = write_wheel(tmp_path, "mgc-words", files)
    monkeypatch.syspath_prepend(install([wheel], tmp_path / "site"))
    embeds = zero_shot._embeds_text
    monkeypatch.setattr(
        zero_shot, "_embeds_text", lambda e: e.distribution == "mgc-words" and embeds(e)
    )
    registry.catalogue.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    registry.catalogue.cache_clear()


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A low tone, a high one, silence, and a file that is no sound."""
    folder = tmp_path / "songs"
    folder.mkdir()
    time = np.arange(2 * 16_000) / 16_000
    for name, hertz in (("low", 200), ("high", 4000), ("silent", 0)):
        soundfile.write(folder / f"{name}.wav", 0.3 * np.sin(2 * np.pi * hertz * time), 16_000)
    (folder / "text.wav").write_text("no music")
    return folder


def test_shares_are_the_softmax_of_the_scaled_cosine(words: Path, songs: Path) -> None:
    model = mgc.zero_shot(["Treble", "treble treble", " much  bass "], "words")
    assert isinstance(model, mgc.Model)
    assert model.genres == ["Treble", "treble treble", "much bass"]
    model = mgc.zero_shot("treble, bass, bass and treble")
    answer = model.predict(songs / "low.wav")
    vector = mgc.extract(songs / "low.wav", "words")[0].astype(np.float64)
    texts = np.array([[0, 1], [1, 0], np.array([3, 2]) / np.sqrt(13)])
    powers = np.exp(5.0 * texts @ vector / np.linalg.norm(vector))
    np.testing.assert_allclose(list(answer.probabilities.values()), powers / powers.sum())
    assert answer.genre == "bass"
    assert model.predict(songs / "high.wav").genre == "treble"
    np.testing.assert_allclose(model.embed(songs / "low.wav"), vector, rtol=1e-6)
    assert repr(model) == "<Model words: zero-shot, 3 genres>"
    assert model.run is None


def test_what_is_no_music_at_all_is_unknown(words: Path, songs: Path) -> None:
    model = mgc.zero_shot("bass, treble", "words")
    noise = model.predict(not_music("white noise", 3, 5.0))
    assert (noise.unlike, noise.known) == (1.0, False)
    assert model.predict(not_music("white noise", 3, 5.0), unknown=0).known
    song = model.predict((synthesise("jazz", 1, 0, seconds=10.0), 22_050))
    assert song.known
    assert any_music().revision == ExtractorSpec("texture").info.revision


def test_it_hears_over_time_explains_and_compares(words: Path, songs: Path) -> None:
    model = mgc.zero_shot("bass, treble", "words")
    low, rate = soundfile.read(songs / "low.wav")
    high, _ = soundfile.read(songs / "high.wav")
    both = np.concatenate([low, high])
    window = len(low) / rate
    made = model.timeline((both, rate), window, window)
    assert [part.genre for part in made.segments] == ["bass", "treble"]
    explained = model.explain((both, rate), "treble")
    assert explained.telling[1] > window
    assert not explained.members
    with pytest.raises(UsageError, match="words has no tracks of its own"):
        model.similar(songs / "low.wav")


def test_the_command_line_prints_the_same(mgc: Call, words: Path, songs: Path) -> None:
    asked = ["predict", songs, "--genres", "treble, bass", "-e", "words"]
    told = mgc(*asked, "--jsonl")
    rows = {Path(row["path"]).stem: row for row in map(json.loads, told.out.splitlines())}
    assert [rows[name]["genre"] for name in ("low", "high", "text")] == ["bass", "treble", None]
    assert "is digital silence" in rows["silent"]["remark"]
    assert "extractor: words" in told.err
    assert "nothing was trained" in told.err
    target = words / "answers.csv"
    mgc(*asked, "-o", target)
    table = list(csv.DictReader(target.read_text().splitlines()))
    assert len(table) == 4
    assert {"treble", "bass"} < table[0].keys()
    again = mgc(*asked, "-o", target)
    assert "has 4 answers of 4 already" in again.err
    other = mgc("predict", songs, "--genres", "bass, treble", "-o", target)
    assert other.code == 2
    assert "answers.csv" in other.err


@pytest.mark.parametrize(
    ("genres", "said"),
    [
        ([], "2 to 200 genres, not 0"),
        (["jazz"], "2 to 200 genres, not 1"),
        ([f"genre {number}" for number in range(201)], "2 to 200 genres, not 201"),
        (["jazz", " ", "rock"], "Genre 2 of 3 is empty"),
        (["Jazz", "rock", "\uff4aazz  "], "'\uff4aazz' is given twice"),
        (["jazz", "x" * 101], "Genre 2 of 2 has over 100 characters"),
        (["jazz", "ro\x1bck"], "Genre 2 of 2 is not readable text"),
        (["jazz", "\u200d"], "Genre 2 of 2 is empty"),
        ("", "Genre 1 of 1 is empty"),
        ('"rock, jazz', "2 to 200 genres, not 1"),
        ("x" * 200_000, "The genres cannot be read"),
        (["jazz", 7], "7 is no name of a genre"),
        ([None, "jazz"], "None is no name of a genre"),
        (b"jazz, rock", "106 is no name of a genre"),
    ],
)
def test_genres_that_cannot_be_used(genres: str | list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked(genres)


def test_names_with_commas_quotes_and_other_scripts() -> None:
    asked = '"rock, hard" ,\n ro\u200ck, 7" disco, "techno"'
    assert checked(asked) == ["rock, hard", "ro\u200ck", '7" disco', "techno"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--genres", "jazz,"], "Genre 2 of 2 is empty"),
        (["--genres", "jazz, rock, JAZZ"], "'JAZZ' is given twice"),
        (["--genres", "jazz, rock", "--run", "x", "--data", "y"], "--run and --data have no"),
        (["-e", "words", "--set", "a=1"], "--extractor and --set have no effect without --genres"),
        (["--genres", "jazz, rock", "-e", "mel"], "'mel' cannot compare audio with words"),
        (
            ["--genres", "jazz, rock", "-e", "wrods"],
            "No extractor is named 'wrods'. Hint: Did you mean 'words'?",
        ),
    ],
)
def test_a_wrong_request_is_refused_in_a_line(
    more: list[str], said: str, mgc: Call, words: Path, songs: Path
) -> None:
    told = mgc("predict", songs, *more)
    assert told.code == 2
    assert said in " ".join(told.err.split())
    assert told.out == ""


@pytest.mark.parametrize("words", [("words", "others")], indirect=True)
def test_with_two_that_can_one_has_to_be_chosen(words: Path, songs: Path) -> None:
    with pytest.raises(UsageError, match="words") as caught:
        mgc.zero_shot(["bass", "treble"])
    assert "--extractor" in caught.value.hint
    assert mgc.zero_shot(["bass", "treble"], "others").predict(songs / "low.wav").genre == "bass"


@pytest.mark.parametrize("words", [("large", "words")], indirect=True)
def test_of_two_that_can_the_one_whose_weights_are_here_is_taken(
    words: Path, mgc_home: Path
) -> None:
    assert mgc.zero_shot(["bass", "treble"]).name == "words"
    (mgc_home / "weights").mkdir(parents=True)
    (mgc_home / "weights" / "large").touch()
    with pytest.raises(UsageError, match="large, words"):
        mgc.zero_shot(["bass", "treble"])


def test_without_any_the_hint_names_one(monkeypatch: pytest.MonkeyPatch, mgc_home: Path) -> None:
    monkeypatch.setattr("mgc.prediction.zero_shot._embeds_text", lambda _: False)
    with pytest.raises(MgcError, match="No installed extractor") as caught:
        mgc.zero_shot(["bass", "treble"])
    assert "pip install mgc-encoders" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("embed_text", lambda *_: 1 / 0, "failed in embed_text: ZeroDivisionError"),
        ("embed_text", lambda *_: np.zeros((3, 2)), "embeddings of shape (3, 2) instead of (2, …)"),
        ("logit_scale", float("nan"), "gave text numbers that are not finite"),
    ],
)
def test_a_fault_of_the_extractor_names_it(
    name: str, fault: object, said: str, words: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = mgc.zero_shot(["bass", "treble"])
    monkeypatch.setattr(model.predictor.source.implementation, name, fault)
    with pytest.raises(MgcError, match=re.escape(said)) as caught:
        model.predict(songs / "low.wav")
    assert "mgc plugins check words" in caught.value.hint
