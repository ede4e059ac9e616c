"""Encoders that were trained on the music that a run is scored on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mgc.features.extractor_spec import ExtractorSpec
from mgc.home import write_json
from mgc.plugins.licences import with_limits
from mgc.progress import Silent
from mgc.reporting.page.data_facts import data_facts
from mgc.reporting.page.sections import repeat
from mgc.runs import Run, load, pretraining
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


def test_where_no_list_is_published_nobody_can_know(mgc_home: object) -> None:
    run = made_run(dataset="magna4", folds=0)
    (line,) = pretraining.warnings([knowing(run, ["AudioSet", "web audio (not listed)"])])
    assert line == (
        "mel was pre-trained on web audio, of which no list is published: whether magna4 is among "
        "it cannot be known."
    )
    heard = knowing(run, ["MagnaTagATune", "web audio (not listed)"])
    (line,) = pretraining.warnings([heard])  # it is among what is listed
    assert "magna4 seems to be music of it" in line


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("CC BY-NC 4.0", "CC BY-NC 4.0: no commercial use"),
        ("cc-by-nc-sa-4.0", "cc-by-nc-sa-4.0: no commercial use"),
        ("Non-Commercial Research", "Non-Commercial Research: no commercial use"),
        ("Apache-2.0", "Apache-2.0"),
        ("Fincher BSD", "Fincher BSD"),
        ("", ""),
    ],
)
def test_a_licence_says_what_it_forbids(licence: str, told: str) -> None:
    assert with_limits(licence) == told


def test_commands_and_the_report_say_what_licences_forbid(
    mgc_home: object, mgc: Callable[..., Told]
) -> None:
    runs = [made_run(name, dataset="mine") for name in ("mel", "mfcc")]
    said = "mfcc: its weights are licensed CC BY-NC 4.0: no commercial use."
    raw = dict(runs[1].record)
    raw["extractor"] = {**raw["extractor"], "licence": "CC BY-NC 4.0"}
    write_json(runs[1].folder / "run.json", raw)
    names = [run.name for run in runs]
    for command in (
        ["runs", "show", names[1]], ["compare", *names], ["fit", "--resume", names[1]],
        ["ensemble", "confidence", *names], ["runs", "show", "mine-confidence-1"],
    ):  # fmt: skip
        told = mgc(*command)
        assert told.code == 0, told.err
        assert told.err.count(said) == 1, command
    assert said not in mgc("runs", "show", names[0]).err
    facts = [made["facts"] for made in repeat([load(n) for n in [*names, "mine-confidence-1"]])]
    found = [one.get("licence") for one in facts]
    assert found == [None, "CC BY-NC 4.0: no commercial use", said]


def test_what_is_known_of_the_default_model_is_not_said_of_another() -> None:
    default = ExtractorSpec("whisper")
    assert default.of_weights("licence") == "Apache-2.0"
    assert default.of_weights("pretrained_on") == ("680,000 hours of web audio (not listed)",)
    other = ExtractorSpec("whisper", {"model": "someone/else"})
    assert (other.of_weights("licence"), other.of_weights("pretrained_on")) == ("", ())
