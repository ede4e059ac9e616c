from dataclasses import replace

import pytest

from mgc.evaluation.evaluate import Evaluation
from mgc.home import write_json
from mgc.reporting.page import build, sections, trust
from mgc.reporting.page.build import ReportRequest, make_report
from tests.evaluation.made_runs import GENRES, made_run

pytestmark = pytest.mark.usefixtures("mgc_home")

SETS = {
    "share": 0.91, "share_low": 0.85, "share_high": 0.95, "size": 1.4,
    "by_genre": {genre: {"share": 0.9, "size": 1.5, "tracks": 20} for genre in GENRES},
}  # fmt: skip


def test_figures_of_answers_in_total_and_by_genre() -> None:
    run = made_run()
    found = trust.answers(run, SETS, {"folk": 0.05, "jazz": 0.0, "metal": 0.01})
    assert [row["genre"] for row in found] == ["all", *GENRES]
    assert [row["tracks"] for row in found] == [60, 20, 20, 20]
    assert (found[0]["share"], found[0]["size"], found[0]["between"]) == (0.91, 1.4, "85.0–95.0")
    assert found[0]["unknown"] == pytest.approx(0.02)
    assert [row["unknown"] for row in found[1:]] == [0.05, 0.0, 0.01]
    assert found[2]["size"] == 1.5


def test_what_is_not_known_of_the_answers_is_left_open() -> None:
    run = made_run()
    assert trust.answers(run, None, None) == []
    assert {row["unknown"] for row in trust.answers(run, SETS, None)} == {None}
    assert {row["share"] for row in trust.answers(run, None, {"folk": 1})} == {None}


def test_the_section_of_answers_is_there_when_its_figures_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = made_run()
    filled = build.page
    for given in ([], [trust.answers(run, SETS, None)]):
        monkeypatch.setattr(
            build,
            "page",
            lambda context, data, given=given: filled({**context, "answers": given}, data),
        )
        page = make_report([run], ReportRequest())
        assert ('<a href="#answers">Sets and unknown</a>' in page) == bool(given)
        assert ('id="answers"' in page) == bool(given)
        assert ("85.0–95.0" in page) == bool(given)


def test_evaluations_on_other_datasets_stand_in_the_page() -> None:
    run = made_run()
    assert trust.elsewhere([("good", run)]) == []
    assert 'id="elsewhere"' not in make_report([run], ReportRequest())
    figures = {**run.scores["test"], "accuracy": 0.625}
    made = Evaluation(
        run=run.name, dataset="<b>other", figures=figures, groups=20, unit="artists",
        genres={}, without_counterpart={"polka": 7}, without_tracks=[], failures=[],
        quarantined={}, heard_before=3, learnt=2, not_told=0, sets=None, no_sets="",
    )  # fmt: skip
    write_json(run.folder / "evaluations" / "other.json", made.as_dict())
    (row,) = trust.elsewhere([("good", run)])
    assert (row["accuracy"], row["own"]) == (0.625, run.scores["test"]["accuracy"])
    assert row["left_out"] == 9
    page = make_report([run], ReportRequest())
    assert 'id="elsewhere"' in page
    assert "<bdi>&lt;b&gt;other</bdi>" in page
    assert "<td>62.5 <small>" in page
    assert "<td>–</td>" in page  # it was made before evaluations had a corrected error
    error = {"ece_corrected": 0.1234, "ece_low": 0.05, "ece_high": 0.2}
    later = replace(made, figures=figures | error)
    write_json(run.folder / "evaluations" / "other.json", later.as_dict())
    assert "<td>0.123 (0.05–0.20)</td>" in make_report([run], ReportRequest())


def test_a_risk_curve_ends_where_its_axis_does() -> None:
    found = sections.risk([("good", made_run(skill=3.0)), ("poor", made_run("mfcc", skill=0.1))])
    assert found["top"] == 1.0
    good, poor = found["systems"]
    assert good["aurc"] < poor["aurc"]
    for system in (good, poor):
        points = [pair.split(" ") for pair in system["path"][1:].split("L")]
        assert float(points[-1][0]) == 160
        assert float(points[-1][1]) == pytest.approx(100 - 100 * system["risks"][-1], abs=0.06)
        assert all(0 <= float(y) <= 100 for _, y in points)
