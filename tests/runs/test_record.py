"""The typed record: what older versions wrote is read, and what is wrong is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mgc import runs
from mgc.errors import MgcError
from mgc.home import json_bytes, read_json, write_json
from mgc.runs.record import SCHEMA, parse
from tests.evaluation.made_runs import made_run

WRITTEN = Path(__file__).parent.parent / "fixtures" / "runs_0_1"
RECORDS = sorted(WRITTEN.rglob("run.json"))


@pytest.mark.skipif(not RECORDS, reason="the runs of version 0.1 are not in this checkout")
def test_runs_of_the_version_before_are_read(mgc_home: Path) -> None:
    for path in RECORDS:
        run = runs.load(str(path.parent))
        raw = json.loads(path.read_text())
        record = run.record
        assert (record.schema, record.kind, record.state) == (SCHEMA, raw["kind"], raw["state"])
        assert record.dataset.name == raw["dataset"]["name"]
        assert run.genres == raw["dataset"]["genres"]
        assert record.seed == raw["seed"]
        assert dict(record.metrics) == raw.get("metrics", {})
        if record.kind == "single":
            later = {"licence": "", "pretrained_on": ()}
            assert vars(record.extractor) == {**later, **raw["extractor"]}
            assert vars(record.head) == raw["head"]
            assert record.device == raw["device"]
        else:
            assert vars(record.strategy) == raw["strategy"]
            assert list(record.members) == raw["members"]


@pytest.mark.skipif(not RECORDS, reason="the runs of version 0.1 are not in this checkout")
def test_what_is_written_back_is_the_file_to_the_byte(tmp_path: Path) -> None:
    for path in RECORDS:
        record = parse(json.loads(path.read_text()))
        assert json_bytes({**record}) == path.read_bytes()
        write_json(tmp_path / "run.json", {**record})
        assert read_json(tmp_path / "run.json") == json.loads(path.read_bytes())


@pytest.mark.skipif(not RECORDS, reason="the runs of version 0.1 are not in this checkout")
def test_all_of_them_are_listed(mgc_home: Path) -> None:
    mgc_home.mkdir(exist_ok=True)
    for path in WRITTEN.glob("*/run.json"):
        (runs.runs_home() / path.parent.name).mkdir(parents=True)
        shutil.copy(path, runs.runs_home() / path.parent.name)
    found, errors = runs.everything()
    assert len(found) == len(list(WRITTEN.glob("*/run.json")))
    assert errors == []


def test_keys_of_other_versions_stay_where_they_are(mgc_home: Path) -> None:
    run = made_run()
    raw = {"later": [1, 2], **run.record, "dataset": {**run.record["dataset"], "new": 1}}
    write_json(run.folder / "run.json", raw)
    again = runs.load(run.name)
    assert list(again.record) == list(raw)
    done = runs.finish(again, again.predictions, again.embeddings, {"seconds": 2.0})
    kept = read_json(done.folder / "run.json")
    assert kept["later"] == [1, 2]
    assert kept["dataset"]["new"] == 1
    assert list(kept) == list(raw)
    assert done.record.seconds == 2.0


def edited(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value at a dotted path; ... takes the key away."""
    copy = json.loads(json.dumps(raw))
    *folders, last = path.split(".")
    inside = copy
    for name in folders:
        inside = inside[name]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("kind", ..., "run.json lacks kind"),
        ("kind", "pair", "kind is 'pair', not 'single' or 'ensemble'"),
        ("dataset.genres", ..., "run.json lacks dataset.genres"),
        ("dataset.name", 3, "dataset.name is 3, not text"),
        ("dataset.folds", "5", "dataset.folds is '5', not a whole number"),
        ("dataset.folds", True, "dataset.folds is True, not a whole number"),
        ("dataset", [], r"dataset is \[\], not object"),
        ("extractor", ..., "run.json lacks extractor"),
        ("head.name", ..., "run.json lacks head.name"),
        ("seed", "0", "seed is '0', not a whole number or null"),
        ("seconds", "long", "seconds is 'long', not a number or null"),
    ],
)
def test_a_wrong_field_is_named(mgc_home: Path, path: str, value: Any, said: str) -> None:
    run = made_run()
    write_json(run.folder / "run.json", edited(dict(run.record), path, value))
    with pytest.raises(MgcError, match=said) as caught:
        runs.load(run.name)
    assert run.name in caught.value.message
    assert f"mgc runs remove {run.name}" in caught.value.hint


def test_a_whole_number_is_a_number(mgc_home: Path) -> None:
    assert parse({**made_run().record, "seconds": 3}).seconds == 3
