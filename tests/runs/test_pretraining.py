"""Encoders that were trained on the music that a run is scored on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mgc.features.extractor_spec import ExtractorSpec
from mgc.home import write_json
from mgc.progress import Silent
from mgc.reporting.page.data_facts import data_facts
from mgc.runs import Run, pretraining
from mgc.runs.record import parse
from tests.conftest import Told
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
    (line,) = pretraining.warnings([imported], "fma-large")
    assert "and fma-large seems" in line
    assert pretraining.warnings([imported], "others", "folder") == []


def test_commands_and_the_report_warn(mgc_home: object, mgc: Callable[..., Told]) -> None:
    runs = [made_run(name, dataset="magna4") for name in ("mel", "mfcc")]
    knows = knowing(runs[1], ["MagnaTagATune"])
    write_json(knows.folder / "run.json", dict(knows.record))
    told = mgc("compare", *(run.name for run in runs))
    assert told.err.count("pre-trained on MagnaTagATune") == 1
    told = mgc("fit", "--resume", knows.name)  # finished: only its figures are shown
    assert told.err.count("pre-trained on MagnaTagATune") == 1
    facts = data_facts(runs[0], runs[0], False, Silent(), [knows])
    assert any("mfcc was pre-trained on MagnaTagATune" in doubt for doubt in facts.doubts)


def test_an_ensemble_is_warned_of_for_its_members(mgc_home: object) -> None:
    runs = [made_run(name, dataset="magna4") for name in ("mel", "mfcc")]
    raw = dict(runs[0].record) | {"kind": "ensemble", "strategy": {"name": "mean"}}
    raw["members"] = ["one", "two"]
    for name, run in zip(raw["members"], runs, strict=True):
        shutil.copytree(run.folder, runs[0].folder / "members" / name)
        write_json(
            runs[0].folder / "members" / name / "run.json",
            dict(knowing(run, ["MagnaTagATune"] if name == "two" else []).record),
        )
    (line,) = pretraining.warnings([Run(runs[0].folder, parse(raw))])
    assert line.startswith("mfcc was pre-trained on MagnaTagATune")


def test_what_is_known_of_the_default_model_is_not_said_of_another() -> None:
    assert ExtractorSpec("whisper").of_weights("licence") == "Apache-2.0"
    other = ExtractorSpec("whisper", {"model": "someone/else"})
    assert (other.of_weights("licence"), other.of_weights("pretrained_on")) == ("", ())
