"""The conformance checks: what is sound passes, and every fault is found with its remedy."""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mgc import MgcError, UsageError, checks
from mgc.checks import parametrize, subprocess_probe
from mgc.plugins import registry
from tests.extractors import tiny_whisper
from tests.plugins.packages import install, run_mgc, write_wheel

FAULTY = Path(__file__).parents[1] / "faulty"
#: plug-in → the check that finds its fault → what the remedy says
FAULTS = [
    ("heavy", "declaration-is-light", "nothing but `from mgc import …`"),
    ("misloaded", "code-loads", "correct load="),
    ("misloaded", "summary", "say in summary="),
    ("misloaded", "install-hint", "name the command"),
    ("openparams", "params-class", "@dataclass(frozen=True)"),
    ("pathparams", "params-round-trip", "use int, float, str"),
    ("loadsininit", "construction-is-light", "at the first call"),
    ("transposed", "shape", "transpose the last two axes"),
    ("uncentred", "frames", "centre the frames"),
    ("double", "dtype-and-device", ".float()"),
    ("masked", "shape", "np.asarray(…, np.float32)"),
    ("logofzero", "silence", "clamp before a logarithm"),
    ("dividesbysilence", "silence", "what you divide by"),
    ("notoverdriven", "full-scale", "add a small number"),
    ("needsawindow", "one-sample", "pad a clip that is shorter"),
    ("deaf", "hears", "does not depend on clips.waves"),
    ("dropout", "same-twice", "no dropout"),
    ("batchnormalised", "batch-equals-single", "never over the batch"),
    ("inplace", "input-is-left-alone", "work on a copy"),
    ("unseeded", "other-process", "or on hash()"),
    ("clockidentity", "identity", "not a time"),
    ("changed", "golden-numbers", "write the numbers of the new one"),
    ("widetexts", "text", "the text tower's projection"),
    ("illiterate", "text", "does not depend on the text"),
    ("unscaledtexts", "text", "offer logit_scale"),
    ("broken", "shape", "run the check under pytest"),
    ("scores", "probabilities", "divide by p.sum(1, keepdims=True)"),
    ("warmstart", "refit-forgets", "build everything again in fit"),
    ("shifted", "genre-absent-from-training", "where its classes_ say"),
    ("pickled", "save-and-restore", "safetensors, JSON"),
    ("forgetful", "save-and-restore", "everything that fit learnt"),
    ("unscaled", "outlier", "guard logarithms and divisions"),
    ("random", "same-twice", "random_state"),
    ("batchstatistics", "batch-equals-single", "running statistics"),
    ("ignoreslengths", "lengths-are-heeded", "mask frames >= lengths"),
    ("unusedweights", "gradients", "modules that are not used"),
    ("fixedlength", "any-length", "Make this line work"),
    ("unnormalised", "simplex", "divide by p.sum(1, keepdims=True)"),
    ("firstwins", "order-of-members", "treat every member alike"),
    ("nanmean", "nan-is-refused", "a member is broken"),
    ("acrosstracks", "track-by-track", "learn what needs many tracks in fit"),
    ("favouritegenre", "order-of-genres", "treat every genre alike"),
    ("forgets", "state-and-restore", "at full precision"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search path with the faulty package, really installed."""
    folder = tmp_path_factory.mktemp("faulty")
    files = {str(p.relative_to(FAULTY)): p.read_text() for p in sorted(FAULTY.rglob("mgc_*/*.py"))}
    files["mgc_faulty/golden/changed.json"] = json.dumps({"revision": 1})
    points = "[mgc]\nfaulty = mgc_faulty.plugin\nheavy = mgc_faulty.heavy\n"
    return install([write_wheel(folder, "mgc-faulty", files, entry_points=points)], folder / "site")


@pytest.fixture
def faulty(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The faulty package among the installed ones."""
    monkeypatch.syspath_prepend(site)
    registry.catalogue.cache_clear()
    yield site
    monkeypatch.undo()
    registry.catalogue.cache_clear()


@pytest.mark.parametrize(("name", "check", "remedy"), FAULTS)
def test_a_fault_is_found_and_the_way_to_mend_it_said(
    name: str, check: str, remedy: str, faulty: Path
) -> None:
    (subject,) = checks.subjects(name)
    outcomes = [o for o in checks.verdicts(subject, check) if o.check == check]
    assert [outcome.verdict for outcome in outcomes] == ["failed"]
    assert remedy in outcomes[0].mend
    assert outcomes[0].expected
    assert outcomes[0].got


def test_one_failed_check_does_not_stop_the_others(faulty: Path) -> None:
    (subject,) = checks.subjects("unnormalised")
    verdicts = {outcome.check: outcome.verdict for outcome in checks.verdicts(subject)}
    assert verdicts["simplex"] == "failed"
    assert verdicts["methods"] == verdicts["summary"] == "passed"
    assert list(verdicts) == [check.name for check in checks.checks(subject)]


@pytest.mark.parametrize("name", ["changed", "loadsininit", "bigendian"])
def test_a_fault_is_found_by_its_own_check_only(name: str, faulty: Path) -> None:
    (subject,) = checks.subjects(name)
    failed = [o.check for o in checks.verdicts(subject) if o.verdict == "failed"]
    assert failed == [check for fault, check, _ in FAULTS if fault == name]


def test_golden_numbers_tell_a_change_without_a_new_revision(
    faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.checks import golden

    (subject,) = checks.subjects("double")
    monkeypatch.setattr(golden, "path", lambda _: tmp_path / "double.json")
    (before,) = checks.verdicts(subject, "golden")
    assert before.verdict == "skipped"
    assert "--write-golden" in before.reason
    kept = json.loads(golden.write_numbers(subject).read_text())
    (same,) = checks.verdicts(subject, "golden")
    assert same.verdict == "passed"
    del kept["checksum"]
    kept["values"][3] += 0.1 * kept["deviation"]
    (tmp_path / "double.json").write_text(json.dumps(kept))
    (changed,) = checks.verdicts(subject, "golden")
    assert "raise revision to 2" in changed.mend


def test_an_unknown_check_lists_those_that_there_are(faulty: Path) -> None:
    (subject,) = checks.subjects("unnormalised")
    with pytest.raises(UsageError) as caught:
        list(checks.verdicts(subject, "spelling"))
    assert "simplex" in caught.value.hint


def test_a_name_that_is_nowhere_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="No plug-in is named 'chromaa'") as caught:
        checks.subjects("chromaa")
    assert "'chroma'" in caught.value.hint


def test_a_distribution_stands_for_all_that_it_brings(faulty: Path) -> None:
    names = {subject.info.name for subject in checks.subjects("mgc-faulty")}
    assert {"heavy", "scores", "forgets", "unusedweights"} <= names


def test_a_broken_distribution_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path, "mgc-raising", {"mgc_raising.py": "1 / 0"})
    monkeypatch.syspath_prepend(install([wheel], tmp_path / "site"))
    registry.catalogue.cache_clear()
    with pytest.raises(MgcError, match="ZeroDivisionError"):
        checks.subjects("mgc-raising")
    monkeypatch.undo()
    registry.catalogue.cache_clear()


def test_weights_that_are_not_here_skip_what_needs_them(faulty: Path) -> None:
    (subject,) = checks.subjects("whisper", {"model": "nowhere/at-all"})
    outcomes = list(checks.verdicts(subject))
    verdicts = {outcome.check: outcome for outcome in outcomes}
    assert verdicts["summary"].verdict == verdicts["params-class"].verdict == "passed"
    assert verdicts["same-twice"].verdict == "skipped"
    assert "mgc features fetch" in verdicts["same-twice"].reason
    assert not [outcome for outcome in outcomes if outcome.verdict == "failed"]


def test_the_other_process_answers_again_and_again(faulty: Path) -> None:
    (mel,), (mfcc,) = checks.subjects("mel"), checks.subjects("mfcc")
    reports = [subprocess_probe.report(subject) for subject in (mel, mfcc, mel)]
    assert [report.feature.shape[1] for report in reports] == [128, 40, 128]
    assert reports[2] is reports[0]
    assert reports[0].identity != reports[1].identity


def test_a_plugin_that_ends_the_other_process_is_found_out(faulty: Path) -> None:
    (subject,) = checks.subjects("leaves")
    (outcome,) = [o for o in checks.verdicts(subject, "other-process") if o.verdict == "failed"]
    assert "exit code 7" in outcome.got
    (mel,) = checks.subjects("mel")
    assert subprocess_probe.report(mel).feature is not None


@parametrize("mel", "mfcc", "chroma", "texture")
def test_builtin_extractors_conform(check: checks.Check) -> None:
    check()


@cache
def tiny_whisper_settings() -> dict[str, str]:
    """Small random weights in the real format; they live as long as this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return {"model": str(tiny_whisper.save(Path(folder.name) / "tiny")), "precision": "fp32"}


@parametrize("whisper", settings=tiny_whisper_settings)
def test_whisper_conforms(check: checks.Check) -> None:
    check()


@parametrize("logistic", "svm", "gradient-boosting")
def test_builtin_estimator_heads_conform(check: checks.Check) -> None:
    check()


@parametrize("cnn", "attention", "mlp")
def test_builtin_gradient_heads_conform(check: checks.Check) -> None:
    check()


@parametrize(*(e.info.name for e in registry.catalogue().entries("strategy")))
def test_builtin_strategies_conform(check: checks.Check) -> None:
    check()


def test_every_builtin_is_checked_above() -> None:
    declared = {
        e.info.name
        for kind in ("extractor", "head")
        for e in registry.catalogue().entries(kind)
        if e.distribution == "mgc"
    }
    assert declared == {
        "mel", "mfcc", "chroma", "texture", "whisper", "logistic", "svm", "gradient-boosting",
        "cnn", "attention", "mlp",
    }  # fmt: skip


def test_the_command_says_what_failed_and_leaves_with_1(site: Path) -> None:
    result = run_mgc("plugins", "check", "unnormalised", path=site)
    assert result.code == 1
    assert "FAILED  simplex" in result.out
    assert "to fix:   divide by p.sum" in result.out
    assert "Traceback" not in result.out + result.err


def test_the_command_passes_what_is_sound_and_prints_json(site: Path) -> None:
    result = run_mgc(
        "plugins", "check", "mean-probability", "--json", "-k", "one-member", path=site
    )
    assert result.code == 0
    (outcome,) = json.loads(result.out)
    assert (outcome["plugin"], outcome["check"]) == ("mean-probability", "one-member")
    assert outcome["verdict"] == "passed"
