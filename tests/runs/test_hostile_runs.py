"""Run folders from a stranger: refused with their name; nothing outside them is read, linked or
written, and they break nothing for the runs beside them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from mgc import runs
from mgc.cli.ui.choice import test_figures as figures_of
from mgc.ensembling.combination import EnsembleRequest, StrategySpec, load_combinations
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError
from mgc.home import MAX_HEADER, MAX_JSON, read_json, write_json
from mgc.prediction.predictor import Predictor
from mgc.runs import models
from mgc.runs.answering import answering
from mgc.runs.reference import load_reference
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from tests.ensembling.members import answers, single, world
from tests.evaluation.made_runs import made_run
from tests.tunes import track_data

SECRET = "a private key"


def edited(path: str, value: Any) -> Callable[[Path], None]:
    """Set one value at a dotted path of run.json; a stranger leaves out the checksum."""

    def change(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text())
        *above, last = path.split(".")
        inside = record
        for name in above:
            inside = inside[name]
        inside[last] = value
        record.pop("checksum", None)
        (folder / "run.json").write_text(json.dumps(record))

    return change


def written(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "run.json").write_text(text)


def huge(folder: Path) -> None:
    with open(folder / "run.json", "r+b") as file:
        file.truncate(64 * MAX_JSON)


def socket_inside(folder: Path) -> None:
    before = os.getcwd()
    os.chdir(folder / "fold-0")  # a socket's path is at most 108 characters
    try:
        socket.socket(socket.AF_UNIX).bind("model.safetensors")
    finally:
        os.chdir(before)


def ensemble_of(*members: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        edited("kind", "ensemble")(folder)
        edited("strategy", {"name": "mean-probability"})(folder)
        edited("members", list(members))(folder)

    return change


HOSTILE: dict[str, Callable[[Path], object]] = {
    "link to a device": lambda f: (f / "fold-0/model.safetensors").symlink_to("/dev/zero"),
    "link to a secret": lambda f: (f / "fold-0/notes.txt").symlink_to(f.parents[2] / "secret"),
    "link to a folder": lambda f: (f / "fold-9").symlink_to(f.parents[2]),
    "link to itself": lambda f: (f / "loop").symlink_to(f / "loop"),
    "pipe": lambda f: os.mkfifo(f / "fold-0/head.json"),
    "socket": socket_inside,
    "run.json is a link": lambda f: [
        (f / "run.json").rename(f.parents[2] / "elsewhere"),
        (f / "run.json").symlink_to(f.parents[2] / "elsewhere"),
    ],
    "run.json is huge": huge,
    "run.json is deep": written('{"a":' * 100_000 + "1" + "}" * 100_000),
    "NaN": edited("metrics.test.accuracy", float("nan")),
    "infinity": lambda f: (f / "run.json").write_text(
        (f / "run.json").read_text().replace('"seconds": 1.0', '"seconds": 1e999')
    ),
    "folds": edited("dataset.folds", 10**12),
    "negative folds": edited("dataset.folds", -1),
    "accuracy": edited("metrics.test.accuracy", 123.0),
    "accuracy of text": edited("metrics.test.accuracy", "\x1b[31mbest"),
    "tracks": edited("metrics.test.tracks", 10**300),
    "figures": edited("metrics.test", [1, 2]),
    "confusion": edited("metrics.test.confusion", [[1]]),
    "genres": edited("dataset.genres", ["folk", 3, None]),
    "failures": edited("failures", [7]),
    "schema": edited("schema", 10**9),
    "absolute member": ensemble_of("/etc", "b"),
    "member above": ensemble_of("../../secret", "b"),
    "member of dots": ensemble_of("..", "b"),
    "members as text": lambda f: [ensemble_of()(f), edited("members", "abc")(f)],
}


@pytest.fixture
def stranger(mgc_home: Path) -> Path:
    """A good run named ``bad``, to be spoilt, beside a good one; a secret above the home."""
    made_run("mel")
    made = made_run("mfcc")
    (mgc_home.parent / "secret").write_text(SECRET)
    return made.folder.rename(made.folder.with_name("bad"))


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_refused_and_the_others_are_listed(
    case: str, stranger: Path, mgc: Callable[..., Any]
) -> None:
    HOSTILE[case](stranger)
    tracemalloc.start()
    with pytest.raises(MgcError, match="'bad'"):
        runs.load("bad")
    assert tracemalloc.get_traced_memory()[1] < 3 * MAX_JSON
    tracemalloc.stop()
    found, errors = runs.everything()
    assert [run.label for run in found] == ["mel · logistic"]
    assert len(errors) == 1
    assert answering(found, "made-up") is not None
    told = mgc("runs", "list")
    assert told.code == 0
    assert "'bad'" in told.err
    assert "\x1b" not in told.out + told.err
    assert mgc("compare", found[0].name).code == 0


def test_what_is_no_run_beside_them(stranger: Path, mgc: Callable[..., Any]) -> None:
    home = stranger.parent
    (home / "file").write_text("x")
    (home / "loop").symlink_to(home / "loop")
    (home / "empty").mkdir()
    stranger.rename(home / "\x1b[31mred\n")
    told = mgc("runs", "list")
    assert told.code == 0
    assert "\x1b" not in told.out + told.err
    assert "'empty'" in told.err
    assert r"\x1b[31mred" in told.out


def test_an_ensemble_copies_only_the_files_of_a_run(mgc_home: Path, tmp_path: Path) -> None:
    made = world()
    ours = single(made, answers(made, 0.6, 1), "mel")
    theirs = single(made, answers(made, 0.6, 2), "mfcc")
    outside = Path(shutil.move(theirs.folder, tmp_path / "theirs"))
    for folder in (ours.folder, outside):
        (folder / "fold-0").mkdir(exist_ok=True)
        (folder / "fold-0" / "head.json").write_text("{}")
    (outside / "private.txt").write_text(SECRET)
    request = EnsembleRequest(StrategySpec("mean-probability"))
    done = ensemble(request, [runs.load(ours.name), runs.load(str(outside))])
    copies = {path.name: path for path in (done.folder / "members").glob("*")}
    assert not list(done.folder.rglob("private.txt"))
    here = (ours.folder / "fold-0/head.json").stat()
    there = (outside / "fold-0/head.json").stat()
    assert (copies[ours.name] / "fold-0/head.json").stat().st_ino == here.st_ino
    assert (copies["theirs"] / "fold-0/head.json").stat().st_ino != there.st_ino
    (outside / "fold-0/model.safetensors").symlink_to("/dev/zero")
    with pytest.raises(MgcError, match="is a link"):
        ensemble(request, [runs.load(ours.name), runs.Run(outside, theirs.record)])


def test_a_member_that_is_an_ensemble_is_refused(stranger: Path) -> None:
    inside = stranger / "members" / "m"
    shutil.copytree(stranger, inside)
    ensemble_of("x", "y")(inside)
    ensemble_of("m", "m")(stranger)
    with pytest.raises(MgcError, match="its member 'm' is an ensemble"):
        _ = Predictor(runs.load("bad")).members


def test_an_ensemble_of_nothing_is_refused(stranger: Path) -> None:
    ensemble_of()(stranger)
    with pytest.raises(MgcError, match="it names no members"):
        _ = Predictor(runs.load("bad")).members


def test_folds_that_are_not_there_take_no_time(stranger: Path) -> None:
    edited("dataset.folds", 9_999)(stranger)
    with pytest.raises(MgcError, match="fold-3 is missing"):
        models.model_folders(runs.load("bad"))


def test_a_table_that_claims_more_than_it_holds(stranger: Path) -> None:
    path = stranger / "predictions.parquet"
    same = pa.DictionaryArray.from_arrays(
        pa.array([0] * 1_000_000, "int32"), pa.array(["x" * 10_000])
    )
    edited("checksums", {})(stranger)
    pq.write_table(pa.table({"title": same}), path, store_schema=False)
    tracemalloc.start()
    with pytest.raises(MgcError, match="claims 1,000,000 rows"):
        _ = runs.load("bad").predictions
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_one_long_text_in_many_rows_is_not_repeated_in_memory(stranger: Path) -> None:
    edited("checksums", {})(stranger)
    path = stranger / "predictions.parquet"
    rows = 200_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * rows, "int32"), pa.array(["x" * 5_000]))
    ballast = pa.array(os.urandom(8) for _ in range(rows))  # so that it has a byte for each row
    pq.write_table(pa.table({"title": same, "n": ballast}), path, store_schema=False)
    peak = pa.default_memory_pool().max_memory()
    with pytest.raises(MgcError, match="claims 200,000 rows and 1,001,600,000 bytes"):
        _ = runs.load("bad").predictions
    assert pa.default_memory_pool().max_memory() < peak + 100_000_000


@pytest.mark.parametrize("known", [True, False], ids=["checksums", "none"])
@pytest.mark.parametrize("name", ["predictions.parquet", "embeddings.safetensors"])
def test_a_sparse_terabyte_takes_neither_memory_nor_time(
    name: str, known: bool, stranger: Path
) -> None:
    with open(stranger / name, "r+b") as file:
        file.truncate(1 << 40)
    if not known:
        edited("checksums", {})(stranger)
    tracemalloc.start()
    with pytest.raises(MgcError, match=f"{name}: it is larger than 32 GiB"):
        runs.load("bad").check(name)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_safetensors_header_is_bounded(stranger: Path) -> None:
    header = b'{"__metadata__":{"a":"' + b"x" * MAX_HEADER + b'"}}'
    content = len(header).to_bytes(8, "little") + header
    edited("checksums", {})(stranger)
    (stranger / "embeddings.safetensors").write_bytes(content)
    with pytest.raises(MgcError, match=r"embeddings\.safetensors: its header is larger"):
        _ = runs.load("bad").embeddings
    for fold in range(3):
        fit_head(HeadSpec("logistic"), track_data(tracks=48), *[np.arange(48)] * 2, seed=0,
                 folder=stranger / f"fold-{fold}")  # fmt: skip
    head = stranger / "fold-1"
    write_json(head / "head.json", {**read_json(head / "head.json"), "checksums": {}})
    (head / "estimator.safetensors").write_bytes(content)
    with pytest.raises(MgcError, match=r"fold-1/estimator\.safetensors: its header is larger"):
        _ = Predictor(runs.load("bad")).heads


OTHER = [
    np.zeros((1, 8)),
    np.zeros(180),
    np.zeros((180, 8, 1)),
    np.zeros(()),
    np.zeros((180, 0)),
    np.full((180, 8), np.nan),
]


@pytest.mark.parametrize("other", OTHER, ids=["rows", "1-d", "3-d", "0-d", "empty", "nan"])
def test_embeddings_of_other_rows_or_without_numbers_are_named(
    other: np.ndarray, stranger: Path
) -> None:
    edited("checksums", {})(stranger)
    save_file({"embeddings": other}, stranger / "embeddings.safetensors")
    with pytest.raises(MgcError, match=r"embeddings\.safetensors lacks a row of numbers"):
        _ = runs.load("bad").embeddings


def test_what_a_run_names_and_lacks_is_missing(mgc_home: Path) -> None:
    made = world(folds=3)
    members = [single(made, answers(made, 0.6, seed), label) for seed, label in enumerate("ab")]
    done = ensemble(EnsembleRequest(StrategySpec("mean-probability")), members)
    shutil.rmtree(done.folder / "strategy" / "fold-1")
    with pytest.raises(MgcError, match=r"strategy/fold-1/strategy\.safetensors is missing"):
        load_combinations(done)
    edited("checksums", {"reference.safetensors": "00000000"})(done.folder)
    with pytest.raises(MgcError, match=r"reference\.safetensors is missing"):
        load_reference(runs.load(done.name))


def test_a_run_without_a_test_row_is_named(stranger: Path) -> None:
    run = runs.load("bad")
    edited("checksums", {})(stranger)
    rows = run.predictions
    rows[rows["part"] != "test"].to_parquet(stranger / "predictions.parquet")
    with pytest.raises(MgcError, match="no row of the part test"):
        _ = runs.load("bad").scores


def test_a_table_without_a_genre_is_named(stranger: Path) -> None:
    run = runs.load("bad")
    edited("checksums", {})(stranger)
    run.predictions.drop(columns="p:folk").to_parquet(stranger / "predictions.parquet")
    with pytest.raises(MgcError, match="lacks the column 'p:folk'"):
        _ = runs.load("bad").predictions


def test_a_nested_column_is_refused(stranger: Path) -> None:
    edited("checksums", {})(stranger)
    path = stranger / "predictions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("title2", pa.array([["x"]] * len(table))), path)
    with pytest.raises(MgcError, match="the column 'title2' is nested"):
        _ = runs.load("bad").predictions


def test_figures_that_run_json_lacks_come_from_the_predictions(stranger: Path) -> None:
    run = runs.load("bad")
    accuracy = run.scores["test"]["accuracy"]
    edited("metrics", {})(stranger)
    said = figures_of(runs.load("bad"))
    assert said["accuracy %"] == f"{100 * accuracy:.1f}"


def test_a_head_of_other_genres_is_named(stranger: Path) -> None:
    run = runs.load("bad")
    for fold in range(3):
        data = track_data(tracks=48, genres=4)
        numbers = np.arange(48)
        folder = stranger / f"fold-{fold}"
        fit_head(HeadSpec("logistic"), data, numbers, numbers, seed=0, folder=folder)
    with pytest.raises(MgcError, match=r"fold-0/head\.json has 4 genres, run\.json 3"):
        _ = Predictor(run).heads


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("p:folk", "x", "'p:folk' has no numbers"),
        ("fold", "x", "'fold' has no whole numbers"),
        ("path", 7, "'path' has no text"),
        ("title", b"x", "'title' has no text"),
        ("genre", "nope", "has the genre 'nope'"),
        ("part", "nope", "has the part 'nope'"),
    ],
)
def test_a_table_of_other_values_is_named(
    stranger: Path, column: str, value: object, said: str
) -> None:
    run = runs.load("bad")
    edited("checksums", {})(stranger)
    run.predictions.assign(**{column: value}).to_parquet(stranger / "predictions.parquet")
    with pytest.raises(MgcError, match=said):
        _ = runs.load("bad").predictions
