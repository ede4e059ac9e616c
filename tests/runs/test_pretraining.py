"""Encoders that were trained on the music that a run is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mgc.features.extractor_spec import ExtractorSpec
from mgc.runs import Run, pretraining
from mgc.runs.record import parse
from tests.evaluation.made_runs import made_run


def knowing(run: Run, corpora: Sequence[str], importer: str = "") -> Run:
    """The run, made with an encoder that was trained on these corpora."""
    raw = dict(run.record)
    raw["extractor"] = {**raw["extractor"], "pretrained_on": list(corpora)}
    raw["dataset"] = {**raw["dataset"], "importer": importer}
    return replace(run, record=parse(raw))


@pytest.mark.parametrize(
    ("name", "importer", "wanted"),
    [
        ("fma-small", "", {"FMA"}),
        ("small", "fma", {"FMA"}),
        ("GTZAN10", "gtzan", {"GTZAN"}),
        ("magna4", "", {"MagnaTagATune"}),
        ("my-mtat", "", {"MagnaTagATune"}),
        ("halfmast", "folder", set()),
        ("", "", set()),
    ],
)
def test_a_dataset_stands_for_a_corpus_by_the_words_of_its_name(
    name: str, importer: str, wanted: set[str]
) -> None:
    assert pretraining.corpora(name, importer) == wanted


def test_only_an_encoder_that_knows_the_music_is_named(mgc_home: object) -> None:
    run = made_run(dataset="magna4", folds=0)
    assert pretraining.warnings([run]) == []
    assert pretraining.warnings([knowing(run, ["Million Song Dataset"])]) == []
    knows = knowing(run, ["AudioSet", "MagnaTagATune"])
    (line,) = pretraining.warnings([knows, knows])
    assert line.startswith("mel was pre-trained on MagnaTagATune, and magna4 ")
    imported = knowing(made_run(dataset="mine", folds=0), ["FMA"], "fma")
    assert len(pretraining.warnings([imported])) == 1


def test_what_is_known_of_the_default_model_is_not_said_of_another() -> None:
    assert ExtractorSpec("whisper").of_weights("licence") == "Apache-2.0"
    other = ExtractorSpec("whisper", {"model": "someone/else"})
    assert (other.of_weights("licence"), other.of_weights("pretrained_on")) == ("", ())
