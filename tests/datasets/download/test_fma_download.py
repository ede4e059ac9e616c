import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc.datasets.download.fetch import Patience
from mgc.datasets.download.fma_download import Sources, Tree, bad_clips, download, read_sha1
from mgc.datasets.importers.importing import add_fma
from mgc.errors import MgcError, UsageError
from tests.datasets.download.server import Behaviour, Server, serving
from tests.datasets.importers.fma_layout import (
    GENRES,
    clip_name,
    row,
    write_checksums,
    write_tables,
    zip_folder,
)

QUICK = Patience(attempts=3, timeout=0.5, pause=0.01)
CLIPS = 40


@pytest.fixture(scope="module")
def published_fma(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with both zips in the official layout, and their SHA-1. Clips are noise: nothing
    here decodes."""
    folder = tmp_path_factory.mktemp("published")
    rows = [
        row(
            number + 2,
            set_split=("training", "training", "validation", "test")[number // 2 % 4],
            set_subset="small",
            artist_id=number // 2,
            artist_name=f"Band {number // 2}",
            album_id=-1,
            track_genre_top=("Rock", "Folk")[number % 2],
            track_genres=[GENRES[("Rock", "Folk")[number % 2]]],
            track_duration=100,
        )
        for number in range(CLIPS)
    ]
    tables = write_tables(folder / "fma_metadata", rows)
    (tables / "not_found.pickle").write_bytes(b"never opened")
    (tables / "raw_tracks.csv").write_text("not needed")
    write_checksums(tables)
    noise = np.random.default_rng(0)
    for number in range(CLIPS):
        path = folder / "fma_small" / clip_name(number + 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.bytes(100_000))
    (folder / "fma_small" / "README.txt").write_text("Read me.")
    write_checksums(folder / "fma_small")
    (folder / "www").mkdir()
    return folder, {
        f"{name}.zip": zip_folder(folder / name, folder / "www" / f"{name}.zip")
        for name in ("fma_small", "fma_metadata")
    }


@pytest.fixture
def server(published_fma: tuple[Path, dict[str, str]], tmp_path: Path):
    shutil.copytree(published_fma[0] / "www", tmp_path / "www")
    with serving(tmp_path / "www") as running:
        yield running


@pytest.fixture
def sha1(published_fma: tuple[Path, dict[str, str]]) -> dict[str, str]:
    return published_fma[1]


def get(folder: Path, **sources: object) -> Tree:
    return download("small", folder, sources=Sources(**sources), patience=QUICK)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for top in ("fma_small", "fma_metadata")
        for path in (folder / top).rglob("*")
        if path.is_file()
    }


def expected(published: Path) -> dict[str, bytes]:
    there = tree(published)
    return {name: there[name] for name in there if not name.endswith((".pickle", "raw_tracks.csv"))}


def test_from_nothing_to_a_dataset(
    server: Server, sha1: dict[str, str], published_fma: tuple, tmp_path: Path
) -> None:
    server.script = [
        Behaviour(drop=1000),
        Behaviour(),
        Behaviour(drop=10**6),
        Behaviour(drop=10**6),
    ]
    made = get(tmp_path / "to", urls=[server.url], sha1=sha1)
    assert made == Tree(tmp_path / "to", {})
    assert tree(tmp_path / "to") == expected(published_fma[0])
    for name in sha1:
        assert server.bytes_of(name) == (server.folder / name).stat().st_size
        assert not (tmp_path / "to" / name).exists()
    dataset = add_fma("fma-small", "small", made.folder, bad_clips=bad_clips(made))
    assert len(dataset.tracks) == CLIPS
    asked = len(server.requests)
    get(tmp_path / "to", urls=[server.url], sha1=sha1)
    assert len(server.requests) == asked


def test_zips_can_be_kept(server: Server, sha1: dict[str, str], tmp_path: Path) -> None:
    download(
        "small", tmp_path, sources=Sources([server.url], (), sha1), keep_zips=True, patience=QUICK
    )
    for name, code in sha1.items():
        assert hashlib.sha1((tmp_path / name).read_bytes()).hexdigest() == code


def test_files_that_vanish_are_brought_again(
    server: Server, sha1: dict[str, str], published_fma: tuple, tmp_path: Path
) -> None:
    get(tmp_path / "to", urls=[server.url], sha1=sha1)
    (tmp_path / "to" / "fma_small" / clip_name(2)).unlink()
    get(tmp_path / "to", urls=[server.url], sha1=sha1)
    assert tree(tmp_path / "to") == expected(published_fma[0])
    assert [file for file, _, _ in server.sent].count("fma_metadata.zip") == 1


def test_a_tree_that_is_right_already_needs_no_server(published_fma: tuple, tmp_path: Path) -> None:
    for name in ("fma_small", "fma_metadata"):
        shutil.copytree(published_fma[0] / name, tmp_path / name)
    assert get(tmp_path, urls=["http://127.0.0.1:9/"]).faults == {}


def test_a_tree_that_is_not_right_is_brought_again(
    server: Server, sha1: dict[str, str], published_fma: tuple, tmp_path: Path
) -> None:
    shutil.copytree(published_fma[0] / "fma_small", tmp_path / "fma_small")
    (tmp_path / "fma_small" / clip_name(5)).write_bytes(b"spoilt")
    get(tmp_path, urls=[server.url], sha1=sha1)
    assert tree(tmp_path) == expected(published_fma[0])


@pytest.mark.parametrize("whole", [True, False])
def test_zips_on_disk_are_used_and_left_alone(
    published_fma: tuple, tmp_path: Path, whole: bool
) -> None:
    folder, sha1 = published_fma
    www = folder / "www"
    files = [www] if whole else [www / "fma_small.zip", www / "fma_metadata.zip"]
    made = get(tmp_path, files=files, urls=["http://127.0.0.1:9/"], sha1=sha1)
    assert tree(made.folder) == expected(folder)
    assert sorted(path.name for path in www.iterdir()) == ["fma_metadata.zip", "fma_small.zip"]


def test_a_zip_may_have_an_address_of_its_own(
    server: Server, sha1: dict[str, str], published_fma: tuple, tmp_path: Path
) -> None:
    (server.folder / "other").mkdir()
    (server.folder / "fma_small.zip").rename(server.folder / "other" / "clips.zip")
    urls = [f"{server.url}other/clips.zip?key=1", server.url]
    with pytest.raises(MgcError, match="404"):
        get(tmp_path, urls=urls, sha1=sha1)  # this server takes the key for a part of the name
    assert server.requests[-1]["path"] == "/other/clips.zip?key=1"
    get(tmp_path, urls=[f"{server.url}other/clips.zip", server.url], sha1=sha1)
    assert tree(tmp_path) == expected(published_fma[0])


def test_other_zips_than_the_published_are_said_early(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="the published file has 358,412,441") as caught:
        get(tmp_path, urls=[server.url])
    assert "--sha1" in caught.value.hint
    assert not server.bytes_of("fma_small.zip")


def test_a_wrong_zip_on_disk_is_said(published_fma: tuple, tmp_path: Path) -> None:
    folder, sha1 = published_fma
    wrong = {**sha1, "fma_small.zip": "0" * 40}
    with pytest.raises(MgcError, match="is not the published file"):
        get(tmp_path, files=[folder / "www"], sha1=wrong)
    assert not (tmp_path / "fma_small").exists()


def test_a_zip_of_something_else_is_said(published_fma: tuple, tmp_path: Path) -> None:
    import zipfile

    folder, sha1 = published_fma
    with zipfile.ZipFile(tmp_path / "fma_small.zip", "w") as archive:
        archive.writestr("holiday/beach.jpg", b"x")
    with serving(tmp_path) as server:
        shutil.copy(folder / "www" / "fma_metadata.zip", tmp_path)
        code = hashlib.sha1((tmp_path / "fma_small.zip").read_bytes()).hexdigest()
        with pytest.raises(MgcError, match="holds no folder fma_small"):
            get(tmp_path / "to", urls=[server.url], sha1={**sha1, "fma_small.zip": code})


def test_missing_zips_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        get(tmp_path, files=[tmp_path / "absent.zip"])


def test_space_for_zips_and_trees_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    free = usage._replace(free=10 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(MgcError, match=r"needs 16\.1 GB in"):
        get(tmp_path / "to", urls=["http://127.0.0.1:9/"])
    with pytest.raises(MgcError, match=r"needs 1,888\.\d GB"):
        download("full", tmp_path / "to", patience=QUICK)


def test_clips_that_differ_from_the_list_are_named_and_quarantined(
    published_fma: tuple, tmp_path: Path
) -> None:
    from mgc.datasets.quarantine import usable

    folder, sha1 = published_fma
    shutil.copytree(folder / "fma_small", tmp_path / "fma_small")
    (tmp_path / "fma_small" / clip_name(3)).write_bytes(b"other bytes")
    (tmp_path / "fma_small" / clip_name(4)).unlink()
    code = zip_folder(tmp_path / "fma_small", tmp_path / "fma_small.zip")
    shutil.rmtree(tmp_path / "fma_small")
    sources = {
        "files": [tmp_path, folder / "www" / "fma_metadata.zip"],
        "sha1": {**sha1, "fma_small.zip": code},
    }
    made = get(tmp_path / "to", **sources)
    assert set(made.faults) == {f"fma_small/{clip_name(3)}", f"fma_small/{clip_name(4)}"}
    assert get(tmp_path / "to", **sources).faults == made.faults
    assert set(bad_clips(made)) == {"3", "4"}
    dataset = add_fma("fma-small", "small", made.folder, bad_clips=bad_clips(made))
    assert dataset.record["left_out"] == {"audio file not in the tree": 1}
    assert usable(dataset)[1] == {"checksum": 1}


def test_sha1_options_are_checked() -> None:
    code = "A" * 40
    assert read_sha1([f"some/fma_small.zip={code}"]) == {"fma_small.zip": "a" * 40}
    for text in ("fma_small.zip", f"={code}", "fma_small.zip=12", f"fma_small.zip={'g' * 40}"):
        with pytest.raises(UsageError, match="is not NAME"):
            read_sha1([text])
    with pytest.raises(UsageError, match=r"names fma_tiny\.zip"):
        download("small", sources=Sources(sha1={"fma_tiny.zip": code}))


def run_until_killed(arguments: list[str], moment: Callable[[], bool] = lambda: False) -> int:
    """Run a download as a process of its own; kill -9 as soon as the moment has come."""
    script = """
import json, sys
from pathlib import Path
from mgc.datasets.download.fetch import Patience
from mgc.datasets.download.fma_download import Sources, download
folder, urls, files, sha1 = json.loads(sys.argv[1])
sources = Sources(urls, [Path(file) for file in files], sha1)
print("ready", flush=True)
download("small", Path(folder), sources=sources, patience=Patience(3, 2.0, 0.01))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(arguments)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None and not moment():
        time.sleep(0.001)
    process.kill()
    return process.wait()


def test_kills_during_the_download(
    server: Server, sha1: dict[str, str], published_fma: tuple, tmp_path: Path
) -> None:
    """At ten random places in the file; what had come is not fetched again."""
    server.usual = Behaviour(rate=1_500_000)
    chance = random.Random(1)
    arguments = [str(tmp_path / "to"), [server.url], [], sha1]
    part = tmp_path / "to" / "fma_small.zip.part"

    def fetched() -> int:
        return part.stat().st_size if part.exists() else 0

    killed = []
    for _ in range(10):  # 3 of 4 MB at the most, unless this process gets no time to look
        place = fetched() + chance.randrange(300_000)
        killed.append(run_until_killed(arguments, lambda place=place: fetched() > place))
    assert killed.count(-signal.SIGKILL) >= 3
    server.usual = Behaviour()
    assert run_until_killed(arguments) == 0
    assert tree(tmp_path / "to") == expected(published_fma[0])
    # What was on its way when the reader died (in the sockets' buffers) went out, but never came.
    starts = [start for file, start, _ in server.sent if file == "fma_small.zip"]
    assert starts == sorted(starts)
    assert sum(start > 0 for start in starts) >= 2


def test_kills_during_the_unpacking(published_fma: tuple, tmp_path: Path) -> None:
    folder, sha1 = published_fma
    arguments = [str(tmp_path / "to"), ["http://127.0.0.1:9/"], [str(folder / "www")], sha1]
    chance = random.Random(2)
    ends = []

    def clips() -> list[Path]:
        return list((tmp_path / "to").rglob("*.mp3"))

    for number in range(10):  # the first when the work has hardly begun
        wanted = len(clips()) + chance.randrange(8) if number else 0
        ends.append(run_until_killed(arguments, lambda wanted=wanted: len(clips()) >= wanted))
        left = clips()
        assert all(len(path.read_bytes()) == 100_000 for path in left if path.name[0] != ".")
    assert -signal.SIGKILL in ends
    assert run_until_killed(arguments) == 0
    assert tree(tmp_path / "to") == expected(folder)
    assert not list((tmp_path / "to").rglob("*.part"))


def test_the_options_know_all_subsets() -> None:
    from mgc.cli.commands.data_add import FMA
    from mgc.datasets.importers.facts import FMA_SUBSETS

    assert tuple(f"fma-{subset}" for subset in FMA_SUBSETS) == FMA
