"""Odd command lines, mutated sounds and damaged homes show no fault; faults that there are, are
counted. Run ``python -m benchmarks.odd_calls`` for more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import odd_calls
from benchmarks.odd_caller import Answer, Caller


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(0, "fine"), ""),
        (Answer(2, "", "Error: no such run"), ""),
        (Answer(1, "", "Error: mgc itself failed: KeyError: 'a'"), "traceback"),
        (Answer("Traceback: KeyboardInterrupt: "), "traceback"),
        (Answer(3), "exit code"),
        (Answer("hang"), "hang"),
    ],
)
def test_faults_are_told_apart(answer: Answer, fault: str) -> None:
    assert answer.fault == fault


def test_a_crash_is_counted_and_the_next_call_is_made(tmp_path: Path) -> None:
    caller = Caller(tmp_path)
    caller.worker.kill()
    caller.worker.wait()
    try:
        assert caller.call(["--version"]).code == "crash"
        assert caller.call(["--version"]).out.startswith("mgc ")
    finally:
        caller.close()


def test_some_odd_calls_show_no_fault(tmp_path: Path) -> None:
    report = odd_calls.made(tmp_path, calls=60, seed=0)
    assert {kind: counts["calls"] for kind, counts in report["counts"].items()} == dict.fromkeys(
        odd_calls.KINDS, 20
    )
    assert report["faults"] == []
