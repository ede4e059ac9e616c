"""The benchmarks run, and their arithmetic is right."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import (
    extraction,
    identity,
    music,
    peers,
    report,
    scale,
    scale_steps,
    store,
    whole_process,
)
from benchmarks.timing import Row, Section, Times, in_turns, row
from mgc.features.extraction import extract_tracks


def test_cases_take_turns_each_warmed_up() -> None:
    calls: list[tuple[str, int]] = []
    cases = {name: lambda turn, name=name: calls.append((name, turn)) for name in "abc"}
    times = in_turns(cases, 3)
    assert [name for name, _ in calls] == list("aabbcc" + "bbccaa" + "ccaabb")
    assert [turn for _, turn in calls] == [0] * 6 + [1] * 6 + [2] * 6
    assert all(len(each.clock) == len(each.processor) == 3 for each in times.values())


def test_time_is_measured() -> None:
    times = in_turns({"sleep": lambda _: time.sleep(0.01)}, 3)
    assert all(0.01 <= clock < 1 for clock in times["sleep"].clock)
    assert all(processor < 0.01 for processor in times["sleep"].processor)


def test_ratios_are_taken_within_turns() -> None:
    times = {"a": Times([2, 4, 6], [1, 10, 3]), "b": Times([1, 1, 1], [1, 5, 1])}
    made = row(times, "a", "b", scale=1e3, unit="ms")
    assert (made.value, made.low, made.high, made.ratio) == (4_000, 2_000, 6_000, 2)


def test_tables(tmp_path: Path) -> None:
    rows = [Row("a", 1234.5, "ms", 1.25, 2_000, 1.5, "b", "a note"), Row("b", 0.5, "s")]
    facts = report.machine()
    made = report.as_markdown(facts, [Section("Title", "Text.", rows)])
    assert "| a | 1,234 ms | 1.25 – 2,000 | 1.50 | b | a note |" in made
    assert "| b | 0.5 s |  |  |  |  |" in made
    record = json.loads(report.as_json(facts, [Section("Title", "Text.", rows)]))
    assert record["sections"][0]["rows"][0]["ratio"] == 1.5
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_into(page, "new")
    assert page.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


def test_the_floor_and_peers_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music, "SECONDS", 3.0)
    [path] = music.synthesised(tmp_path, 1)
    rows = extraction.measure([path], 1).rows
    wanted = {extraction.FLOOR, extraction.OURS, "mgc, .ogg", "librosa, loaded once"}
    assert wanted <= {r.name for r in rows}
    assert all(r.value > 0 for r in rows)
    copies = music.multiplied([path], tmp_path / "many", 3)
    assert len({copy.read_bytes() for copy in copies}) == 3


def test_a_whole_process_is_measured_with_its_children() -> None:
    code = "import subprocess, sys; print(1); subprocess.run([sys.executable, '-c', {!r}])"
    busy = "import time; a = b'1' * 80_000_000\nwhile time.process_time() < 0.4: pass"
    made = whole_process.cost([sys.executable, "-c", code.format(busy)])
    assert made.said == "1\n"
    assert 0.3 <= made.processor < 5
    assert made.clock >= 0.4
    assert 80 < made.peak < 400
    with pytest.raises(subprocess.CalledProcessError):
        whole_process.cost([sys.executable, "-c", "raise SystemExit(1)"])


def test_features_go_to_disk_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers that make test has: librosa alone."""
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    made = music.synthesised(tmp_path / "two", 2)
    rows = {r.name: r for r in peers.measure(made, tmp_path, 6, 1).rows}
    assert [*rows][:4] == [peers.FLOOR, peers.OURS, peers.ALL, peers.PLAIN]
    assert "MB on disk" in rows[peers.OURS].note
    assert rows[f"crops, {peers.PLAIN}"].unit == "clips/s"
    assert all(r.value > 0 for r in rows.values())


def test_a_sounds_identity_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music, "SECONDS", 3.0)
    monkeypatch.setattr(identity, "FILES", 20)
    rows = {r.name: r for r in identity.measure(music.synthesised(tmp_path, 1), 1).rows}
    assert {"the sound, .mp3", "all bytes, .opus", "decoding, .ogg"} < set(rows)
    assert rows["the sound, .flac"].against == "decoding, .flac"
    written, unchanged = (
        rows[f"a file of the library, {name}"] for name in ("written to", "unchanged")
    )
    assert 0 < unchanged.value < written.value


def test_only_long_stereo_mp3s_of_a_folder_are_taken(tmp_path: Path) -> None:
    made = music.synthesised(tmp_path, 1)
    (tmp_path / "other.wav").touch()
    assert music.found(tmp_path, 5) == made
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="holds no"):
        music.found(tmp_path / "empty", 5)


def test_the_store_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TRACKS", 64)
    monkeypatch.setattr(store, "SHAPE", (8, 1_000))
    assert [r.unit for r in store.measure(tmp_path, 1).rows] == ["MB/s", "ms", "clips/s", "clips/s"]


def test_the_steps_of_many_tracks_run_on_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mgc_home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scale_steps, "READS", 10)
    monkeypatch.setattr(extract_tracks, "on_cores", extract_tracks.on_cores)  # put back after
    for work in scale_steps.STEPS.values():
        work(320)()
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 320


def test_exponents_and_the_table_of_many_tracks() -> None:
    assert scale.exponent({1_000: 9.0, 10_000: 1.0, 100_000: 100.0}) == pytest.approx(2)
    assert scale.exponent({1_000: 9.0, 10_000: 1.0}) is None
    made = {"seconds": 1.5, "clock": 2.0, "peak": 1_234.0}
    found = {(scale.FIRST, 1_000): made, ("data add", 1_000): made}
    assert scale.table(found, [1_000])[2:] == ["| data add | 1.50 s, 1,234 MB | – |"]
