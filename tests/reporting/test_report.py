import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.errors import MgcError, UsageError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Silent
from mgc.reporting.page.build import LIBRARY, TEMPLATES, ReportRequest, make_report
from mgc.reporting.page.data_facts import crossing_tracks, data_facts
from mgc.runs import Run
from mgc.runs.calibration_error import calibration_of_run
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")

HOSTILE = (
    "</script><script>owned()</script>",
    '"><img src=x onerror=owned()>',
    "שיר בעברית",
    "🎸 rock 🤘",
    "n" * 300,
    "{{ 7 * 7 }}{% raw %}",
    "\u202ereversed",
    "a & b 'c'",
)


class Reader(html.parser.HTMLParser):
    """The text of a page, its elements with their attributes, and what its scripts hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


@pytest.fixture
def three() -> list[Run]:
    return [
        made_run("mel", head="cnn", epochs=5),
        made_run("mfcc", skill=2.0),
        made_run("chroma", skill=0.5),
    ]


def test_the_page_asks_nothing_of_the_network_and_allows_no_script_but_its_own(
    three: list[Run],
) -> None:
    page = Reader(make_report(three, ReportRequest()))
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "poster", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    for script in page.scripts[1:]:
        made = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{made}'" in policy


def test_every_section_and_every_run_is_there(three: list[Run]) -> None:
    page = Reader(make_report(three, ReportRequest()))
    ids = [attributes.get("id") for _, attributes in page.elements]
    for section in ("comparison", "genres", "confusion", "map", "curves", "calibration",
                    "risk", "agreement", "hardest", "data", "repeat"):  # fmt: skip
        assert ids.count(section) == 1
    assert len([i for i in ids if i]) == len({i for i in ids if i})
    for name in ("mel · cnn", "mfcc · logistic", "chroma · logistic"):
        assert page.text.count(name) >= 4


def test_the_figures_are_those_of_the_runs(three: list[Run]) -> None:
    page = Reader(make_report(three, ReportRequest()))
    for run in three:
        figures = run.record["metrics"]["test"]
        assert f"{100 * figures['accuracy']:.1f}" in page.words
        assert f"{figures['f1']:.3f}" in page.words
        assert f"{calibration_of_run(run)['ece_corrected']:.3f}" in page.words


def test_packed_points_are_the_runs_own(three: list[Run]) -> None:
    data = Reader(make_report(three, ReportRequest(method="pca"))).data
    by_name = {run["name"]: run["map"] for run in data["runs"]}
    run, found = three[1], by_name["mfcc · logistic"]
    rows = run.rows("test")

    def column(name: str, kind: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(found[name]), kind)

    ids = [data["tracks"]["id"][number] for number in column("track", "<u4")]
    assert ids == rows["track_id"].tolist()
    shares = run.probabilities(rows)
    np.testing.assert_array_equal(column("said", "u1"), shares.argmax(1))
    np.testing.assert_array_equal(column("sure", "u1"), np.round(100 * shares.max(1)))
    np.testing.assert_array_equal(column("fold", "u1"), rows["fold"])
    assert column("x", "<u2").max() <= 65_535


def test_hostile_names_are_shown_as_text() -> None:
    count = 64
    names = [HOSTILE[i % len(HOSTILE)] for i in range(count)]
    run = made_run(
        tracks=count, genres=HOSTILE, titles=names, artists=names, folds=4, skill=0.5,
        paths=[Path(f"/gone/{i}.wav") for i in range(count)],
    )  # fmt: skip
    page = Reader(make_report([run, made_run("mfcc", tracks=count, genres=HOSTILE, folds=4)],
                              ReportRequest(title=HOSTILE[0])))  # fmt: skip
    assert len(page.scripts) == 3
    assert not [a for t, a in page.elements if t == "img" or "onerror" in a]
    for name in HOSTILE:
        assert name in page.words
    assert page.data["genres"] == list(HOSTILE)
    assert "49" not in page.words


def test_names_stand_in_elements_of_their_own_so_that_their_direction_stays_inside() -> None:
    names = ["שיר"] * 60
    page = make_report(
        [made_run(titles=names), made_run("mfcc", titles=names)], ReportRequest(hardest=3)
    )
    titles = re.findall(r"<h3 title=\"שיר\">(.*?)</h3>", page)
    assert titles == ["<bdi>שיר</bdi>"] * 3


def test_hard_tracks_can_be_seen_and_heard(tmp_path: Path) -> None:
    rate = 22_050
    time = np.arange(3 * rate) / rate
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * 440 * time), rate)
    run = made_run(skill=0.2, paths=[path] * 60)
    page = Reader(make_report([run], ReportRequest(hardest=2, picture=ExtractorSpec("mel"))))
    sounds = [a["src"] for t, a in page.elements if t == "audio"]
    images = [a["src"] for t, a in page.elements if t == "img"]
    assert len(sounds) == len(images) == 2
    kind, _, content = sounds[0].partition(",")
    assert kind == "data:audio/mpeg;base64"
    heard = tmp_path / "heard.mp3"
    heard.write_bytes(base64.b64decode(content))
    wave, found_rate = soundfile.read(heard)
    assert found_rate == rate
    assert len(wave) / rate == pytest.approx(3.0, abs=0.1)
    loudest = np.abs(np.fft.rfft(wave[:rate])).argmax()
    assert loudest == pytest.approx(440, abs=3)
    assert images[0].startswith("data:image/webp;base64,")


def test_a_file_that_is_gone_is_said_so_without_its_folder() -> None:
    run = made_run(skill=0.2)
    text = Reader(make_report([run], ReportRequest(hardest=1, picture=ExtractorSpec("mel")))).text
    assert "It cannot be played" in text
    assert "/gone/" not in text


def test_no_sound_and_no_pictures_where_none_are_wanted(tmp_path: Path) -> None:
    page = Reader(make_report([made_run(skill=0.2)], ReportRequest(hardest=3)))
    assert not [tag for tag, _ in page.elements if tag in ("audio", "img")]


def test_the_page_is_small_without_sound(three: list[Run]) -> None:
    assert len(make_report(three, ReportRequest()).encode()) < 1_500_000


def test_twenty_five_thousand_points_and_sixteen_genres_stay_below_ten_megabytes() -> None:
    genres = [f"Genre number {i}" for i in range(16)]
    titles = [f"A title of a usual length, number {i}" for i in range(25_000)]
    made = [
        made_run(name, tracks=25_000, genres=genres, folds=0, titles=titles)
        for name in ("mel", "mfcc", "chroma")
    ]
    page = make_report(made, ReportRequest(method="pca"))
    assert len(page.encode()) < 10_000_000
    found = Reader(page).data["runs"][0]["map"]
    assert len(base64.b64decode(found["x"])) == 2 * len(made[0].rows("test"))


def test_runs_of_other_data_do_not_belong_in_one_report() -> None:
    with pytest.raises(UsageError, match="differ"):
        make_report([made_run(), made_run("mfcc", dataset="another")], ReportRequest())


def test_a_single_run_has_a_report_without_a_comparison_of_members() -> None:
    page = Reader(make_report([made_run()], ReportRequest()))
    ids = [attributes.get("id") for _, attributes in page.elements]
    assert "agreement" not in ids
    assert "comparison" in ids


def test_the_menu_names_what_is_there_as_it_is_headed() -> None:
    without = make_report([made_run()], ReportRequest(hardest=0))
    menu = re.findall(r'    <a href="#([a-z]+)">([^<]+)</a>', without)
    headings = re.findall(r'<h2 id="([a-z]+)-title">([^<]+)</h2>', without)
    assert menu == headings
    assert not {"curves", "agreement", "hardest"} & {name for name, _ in headings}


def test_a_hard_track_has_its_neighbours(three: list[Run]) -> None:
    page = Reader(make_report(three, ReportRequest(hardest=2)))
    assert page.words.count("The most similar tracks of other artists:") == 2


def test_artists_on_both_sides_are_counted() -> None:
    run = made_run(folds=3)
    assert crossing_tracks(run.predictions) == 0
    rows = run.predictions
    first = rows.index[(rows["fold"] == 0) & (rows["part"] == "test")][0]
    rows.loc[first, "group"] = rows.loc[
        rows.index[(rows["fold"] == 0) & (rows["part"] == "training")][0], "group"
    ]
    assert crossing_tracks(rows) == 1


def test_facts_of_the_data_count_tracks_and_name_failures() -> None:
    run = made_run(folds=0)
    run.record["failures"].append({"path": "/home/me/x.mp3", "reason": "/home/me/x.mp3: no audio"})
    facts = data_facts(run, run, False, Silent())
    assert facts.tracks == 60
    assert [sum(counts) for _, counts in facts.genres] == [20, 20, 20]
    assert list(facts.failures) == [("x.mp3", "x.mp3: no audio")]
    assert facts.chance == pytest.approx(1 / 3, abs=0.02)


def test_an_audit_of_a_dataset_that_is_gone_does_not_end_the_report() -> None:
    text = Reader(make_report([made_run()], ReportRequest(audit=True))).text
    assert "The audit failed" in text


def test_the_library_is_the_one_that_its_readme_names() -> None:
    found = hashlib.sha256((TEMPLATES / LIBRARY).read_bytes()).hexdigest()
    assert found in (TEMPLATES / "vendor" / "README.md").read_text()


@pytest.mark.parametrize("name", ["predictions.parquet", "reference.safetensors"])
def test_a_damaged_run_is_named(name: str) -> None:
    run = made_run()
    (run.folder / name).write_bytes(b"no table")
    with pytest.raises(MgcError, match=run.name):
        make_report([Run(run.folder, run.record)], ReportRequest())


def test_the_page_names_the_runs_that_are_left_out() -> None:
    left_out = "Left out: 2 older runs of the same label (--all)."
    assert left_out in make_report([made_run()], ReportRequest(left_out=left_out))
    assert "Left out: 2" not in make_report([made_run()], ReportRequest())
