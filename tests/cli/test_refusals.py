"""Wrong requests: told before anything slow is imported, and never ignored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.refusals import WRONG
from mgc.datasets import table
from tests.cli.test_app import HEAVY
from tests.conftest import Told
from tests.datasets.conftest import rows
from tests.ensembling.members import answers, single, world

Call = Callable[..., Told]

UNUSED = {
    "fit --resume x --device cpu": "--resume uses the run's original options",
    "fit --resume x --seed 3": "--resume uses the run's original options",
    "fit --resume x --wandb-project p": "--resume uses the run's original options",
    "fit -e mfcc --wandb-mode online": "--wandb-mode has no effect without --track wandb",
    "fit -e mfcc --wandb-project a --wandb-entity b": "--wandb-project and --wandb-entity have",
    "predict SONG --top 5 --csv": "--top has no effect with --csv",
    "compare --csv --by-genre": "--by-genre has no effect with --csv",
    "compare --markdown --agreement": "--agreement has no effect with --markdown",
    "compare run --all": "cannot be combined with named runs",
    "report --hardest 0 --picture chroma": "--picture has no effect with --hardest 0",
    "plot curves run --dpi 300": "--dpi has no effect but on a .png",
    "plot curves run --dpi 300 -o x.svg": "--dpi has no effect but on a .png",
    "ensemble majority-voting --learn-from out-of-fold": "--learn-from has no effect",
    "data add demo --group-by none": "--group-by has no effect on demo",
    "data add fma-small --path . --seed 1": "--seed has no effect on fma-small",
    "data add gtzan --path . --drop-rare": "--drop-rare has no effect on gtzan",
    "data add x . --artists SONG": "--artists can be used with gtzan only",
    "data split x --use y --seed 1": "--seed has no effect",
    "data split x --from SONG --group-by none": "--group-by has no effect with --from",
    "data split x --list --as y": "--as has no effect",
    "data audit x --as y --seed 2": "--as and --seed have no effect without --fix",
    "features show mel -o x.png": "--output has no effect without -e",
    "features show mel --clip 2": "--clip has no effect without -e",
    "features show SONG -e mel --json": "--json has no effect with --extractor",
    "features show SONG -e mel --data x": "--data has no effect on files",
    "features compare SONG -e mel --data x": "--data has no effect on files",
    "features extract mel --on ray --workers 2": "--workers has no effect with --on",
    "plugins check mean-probability --write-golden": "--write-golden has no effect without an",
    "data add x TABLE --seed 3": "A seed has no effect: the tracks have a split",
}  # fmt: skip
WRONG_VALUES = {
    "fit -e mfcc --clip-seconds nan": "nan is not a finite number",
    "fit -e mfcc --clip-seconds inf": "inf is not a finite number",
    "ensemble x --min-overlap nan": "nan is not a finite number",
    "data check x --shortest nan": "nan is not a finite number",
    "fit -e mfcc --seed -3": "-3",
    "data split x --seed -3": "-3",
    "fit -e mfcc --seeds 30000000": "30000000",
    "fit -e mel mfcc": "Write: -e mel -e mfcc",
    "fit -e mel --head cnn svm": "Write: --head cnn --head svm",
    "features show SONG -e mel mfcc": "Write: -e mel -e mfcc",
    "fit -e MFCC": "Did you mean 'mfcc'?",
    "predict https://example.com/a.mp3": "https://example.com/a.mp3 is an address",
    "data add x https://example.com/a": "https://example.com/a is an address",
    "predict ~nosuchuser/a.mp3": "There is no user 'nosuchuser'",
    "predict a\0b.mp3": "'a\\x00b.mp3' has a character that no file has",
    "fit -e mfcc --data a\ud800": "'a\\ud800' has a character that no file has",
    "runs list --json\0": "has a character that no file has",
    "--home a\0 runs list": "has a character that no file has",
    "predict SONG --output=": "--output is empty (a variable that is not set?)",
    "report -o /": "/ is a folder",
    "report -o SONG": "is there, and is no page. Hint: End it in .html or .htm",
    "explain SONG -o SONG": "is not a folder",
    "experiment run SONG --to SONG": "is not a folder",
    "features show SONG -e mel -o /": "/ is a folder",
    "plot curves x -o FIFO": "not a regular file",
    "data export x FIFO": "not a regular file",
    "data add x FIFO": "is neither a file nor a folder",
    "predict FIFO": "is neither a file nor a folder",
    "experiment run FIFO": "is neither a file nor a folder",
    "models get x --from FIFO": "is neither a file nor a folder",
    "features fetch mel --from FIFO": "is neither a file nor a folder",
    "data download fma-small --from FIFO": "is neither a file nor a folder",
}  # fmt: skip


@pytest.mark.parametrize("words", [*UNUSED, *WRONG_VALUES])
def test_what_would_be_ignored_or_cannot_be_is_refused(
    mgc: Call, tmp_path: Path, words: str
) -> None:
    song, fifo = tmp_path / "song.wav", tmp_path / "fifo"
    song.write_bytes(b"RIFF")
    table = tmp_path / "table.csv"
    table.write_text("path,genre,split\nsong.wav,jazz,training\n")
    os.mkfifo(fifo)
    given = [
        {"SONG": str(song), "FIFO": str(fifo), "TABLE": str(table)}.get(word, word)
        for word in words.split()
    ]
    told = mgc(*given)
    assert told.code == 2
    assert {**UNUSED, **WRONG_VALUES}[words] in " ".join(told.err.split())


@pytest.mark.parametrize(
    "words", ["compare", "report", "ensemble mean-probability", "predict SONG --run"]
)
def test_a_run_that_is_not_on_the_dataset_named_is_refused(
    mgc: Call, music: Path, words: str
) -> None:
    made = world()
    run = single(made, answers(made, 0.6, 0))
    assert mgc("data", "add", "other", music).code == 0
    song = str(next(music.rglob("*.wav")))
    told = mgc(*words.replace("SONG", song).split(), run.name, "--data", "other")
    assert told.code == 2
    assert f"Run {run.name!r} is on 'made-up', not on 'other'" in told.err


def test_an_extraction_with_nothing_usable_fails(mgc: Call, tmp_path: Path) -> None:
    for genre in ("jazz", "rock"):
        (tmp_path / "songs" / genre).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "songs" / genre / f"{number}.wav").write_bytes(b"RIFF")
    assert mgc("data", "add", "empty", tmp_path / "songs").code == 0
    told = mgc("features", "extract", "mel", "--data", "empty")
    assert told.code == 1
    assert "0 tracks extracted, 0 already there, 6 could not be used" in told.out
    assert "No track could be used" in told.err
    told = mgc("fit", "-e", "mel", "--data", "empty")
    assert told.code == 1
    assert "None of the 6 files could be used" in told.err


@pytest.mark.parametrize("words", ["predict", "data show", "data add x", "fit -e", "report -o"])
def test_an_empty_word_is_refused(mgc: Call, words: str) -> None:
    told = mgc(*words.split(), "")
    assert told.code == 2
    what = words.split()[-1] if words.split()[-1].startswith("-") else "A path"
    assert f"{what} is empty (a variable that is not set?)" in told.err


def test_wrong_names_are_told_before_anything_slow_is_imported(mgc_home: Path) -> None:
    table.save(table.Dataset("songs", rows(), Path("/music")))
    program = (
        "import sys, json\nfrom mgc.cli.app import main\ncodes = []\n"
        f"for words in {[words.split() for words in WRONG]!r}:\n"
        "    sys.argv = ['mgc', *words]\n"
        "    try:\n        main()\n"
        "    except SystemExit as left:\n        codes.append(left.code)\n"
        f"print(json.dumps([codes, [m for m in {HEAVY!r} if m in sys.modules]]))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    codes, heavy = json.loads(told.stdout.splitlines()[-1])
    assert codes == [2] * len(WRONG)
    assert heavy == []


def test_a_closed_stdout_ends_quietly(mgc_home: Path) -> None:
    told = subprocess.run(
        f"{sys.executable} -m mgc data list >&-", shell=True, capture_output=True, timeout=60
    )
    assert told.stderr == b""
    assert told.returncode == 0


@pytest.mark.parametrize("words", ["predict", "data add x", "runs show", "fit --resume"])
def test_a_path_of_5000_characters_is_one_missing_file(mgc: Call, words: str) -> None:
    told = mgc(*words.split(), "a" * 5_000)
    assert told.code == 2
    assert told.err.startswith(("Error: aaa", "Error: No file has a name as long as 'aaa"))
    assert len(told.err) < 500
