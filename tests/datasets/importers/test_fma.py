import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mgc.datasets import table
from mgc.datasets.importers.fma import clip_path, import_fma, locate
from mgc.datasets.importers.importing import add_fma
from mgc.datasets.quarantine import usable
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import music, write
from tests.datasets.importers.fma_layout import (
    FULL,
    GENRES,
    clip_name,
    full_rows,
    row,
    write_tables,
)

PARTS = ("training", "training", "training", "validation", "test")


def clip(top: Path, track_id: int, content: bytes = b"") -> None:
    path = top / clip_name(track_id)
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    else:
        write(path, music(track_id, 2.5), format="MP3")


@pytest.fixture
def fma(tmp_path: Path) -> Path:
    """A tree of 20 clips: Rock and Folk, five artists each, all subsets."""
    rows = []
    for number in range(20):
        artist = number // 2
        genre = ("Rock", "Folk")[number % 2]
        rows.append(
            row(
                number + 2,
                set_split=PARTS[artist % 5],
                set_subset=("small", "medium", "large", "small")[number // 2 % 4],
                artist_id=artist,
                artist_name=f"Band {artist}",
                album_id=-1,
                track_genre_top=genre,
                track_genres=[GENRES[genre]],
                track_title=f"Song {number}",
                track_duration=200,
            )
        )
        clip(tmp_path / "fma_large", number + 2, b"never decoded")
    write_tables(tmp_path / "fma_metadata", rows)
    return tmp_path


def change(fma: Path, change_row) -> None:
    """Rewrite tracks.csv with each row changed."""
    import csv

    path = fma / "fma_metadata" / "tracks.csv"
    with open(path, newline="") as file:
        lines = list(csv.reader(file))
    names = list(zip(lines[0], lines[1], strict=True))
    made = []
    for line in lines[3:]:
        values = dict(zip(names, line, strict=True))
        change_row(int(line[0]), values)
        made.append(list(values.values()))
    write_tables(fma / "fma_metadata", made)


def test_clip_paths() -> None:
    assert clip_path("2") == "000/000002.mp3"
    assert clip_path("133297") == "133/133297.mp3"


@pytest.mark.parametrize(
    ("subset", "tracks"), [("small", 10), ("medium", 16), ("large", 20), ("full", None)]
)
def test_subsets_are_cumulative(fma: Path, subset: str, tracks: int | None) -> None:
    if tracks is None:
        with pytest.raises(UsageError, match="holds no fma_full folder"):
            import_fma(subset, fma)
        return
    made, root, record = import_fma(subset, fma)
    assert len(made) == tracks
    assert root == fma / "fma_large"
    assert record["subset"] == subset


def test_official_values_are_taken(fma: Path) -> None:
    made, _, record = import_fma("small", fma)
    first = made.set_index("track_id").loc["2"]
    assert first["path"] == "000/000002.mp3"
    assert (first["genre"], first["genres"], first["split"]) == ("Rock", "Rock", "training")
    assert (first["artist"], first["album"], first["title"]) == ("Band 0", "", "Song 0")
    assert first["duration"] == 30.0
    assert first["subset"] == "small"
    assert record["hierarchy"]["25"] == {"title": "Punk", "parent": "12"}
    assert record["left_out"] == {}


def test_full_length_trees_keep_the_tracks_length(fma: Path) -> None:
    (fma / "fma_large").rename(fma / "fma_full")
    assert import_fma("full", fma)[0]["duration"].iloc[0] == 200.0


def test_tracks_without_a_single_top_genre_are_counted(fma: Path) -> None:
    def several(number: int, values: dict) -> None:
        if number in (2, 3, 8):
            values["track", "genre_top"] = ""

    change(fma, several)
    made, _, record = import_fma("small", fma)
    assert record["left_out"] == {"no single top genre": 3}
    assert len(made) == 7


def test_clips_that_are_not_there_are_counted(fma: Path) -> None:
    (fma / "fma_large" / clip_name(2)).unlink()
    made, _, record = import_fma("small", fma)
    assert record["left_out"] == {"audio file not in the tree": 1}
    assert "2" not in set(made["track_id"])


def test_names_shared_by_two_artists_stay_two(fma: Path) -> None:
    def shared(number: int, values: dict) -> None:
        values["artist", "name"] = "Same" if number < 6 else ""
        values["album", "id"] = str(number % 3)
        values["album", "title"] = "Greatest Hits"

    change(fma, shared)
    made, _, _ = import_fma("large", fma)
    assert made["artist"].nunique() == 10
    assert "Same [artist 0]" in set(made["artist"])
    assert "[artist 9]" in set(made["artist"])
    assert made["album"].nunique() == 3


def test_genre_lists_are_read_never_run(fma: Path, tmp_path: Path) -> None:
    evil = tmp_path / "ran"

    def lists(number: int, values: dict) -> None:
        values["track", "genres"] = {
            2: "[12, 25]",
            3: f"__import__('pathlib').Path({str(evil)!r}).touch()",
            8: "[999]",
            9: "",
        }.get(number, "[17]")

    change(fma, lists)
    made = import_fma("small", fma)[0].set_index("track_id")["genres"]
    assert made["2"] == "Rock|Punk"
    assert made["3"] == ""
    assert made["8"] == "999"
    assert made["9"] == ""
    assert not evil.exists()


@pytest.mark.parametrize("inner", ["", "fma_large"])
def test_the_tree_or_its_folder_may_be_given(fma: Path, inner: str) -> None:
    audio, tables = locate("small", fma / inner)
    assert audio == fma / "fma_large"
    assert tables == fma / "fma_metadata"


def test_the_smallest_folder_that_holds_the_subset_is_taken(fma: Path) -> None:
    clip(fma / "fma_medium", 2, b"x")
    assert locate("small", fma)[0] == fma / "fma_medium"
    assert locate("large", fma)[0] == fma / "fma_large"


def test_metadata_may_be_elsewhere(fma: Path, tmp_path: Path) -> None:
    (fma / "fma_metadata").rename(tmp_path / "tables")
    with pytest.raises(UsageError, match=r"tables \(tracks\.csv, genres\.csv\) are not in"):
        import_fma("small", fma)
    assert len(import_fma("small", fma, tmp_path / "tables")[0]) == 10


def test_trees_that_are_none_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError, match="holds no fma_small folder") as caught:
            import_fma("small", path)
    assert "mgc data download fma-small" in caught.value.hint


def test_a_tree_of_other_clips_is_refused(fma: Path) -> None:
    def other(number: int, values: dict) -> None:
        values["", ""] = str(number + 500)

    change(fma, other)
    with pytest.raises(UsageError, match="holds none of the 10 clips"):
        import_fma("small", fma)


def test_tables_that_are_not_fmas_are_refused(fma: Path) -> None:
    path = fma / "fma_metadata" / "tracks.csv"
    good = path.read_text()
    for text, message in (
        ("a,b\n1,2\n3,4\n", "no column track.title"),
        ("", "cannot be read"),
        (good.replace("\n2,", "\nabc,", 1), "'abc' is not a track id"),
        (good.replace("validation", "holdout"), "split 'holdout' is unknown"),
    ):
        path.write_text(text)
        with pytest.raises(MgcError, match=message):
            import_fma("small", fma)
    path.write_text(good)
    (fma / "fma_metadata" / "genres.csv").write_text("id,name\n1,x\n")
    with pytest.raises(MgcError, match=r"genres\.csv cannot be read"):
        import_fma("small", fma)
    (fma / "fma_metadata" / "genres.csv").unlink()
    with pytest.raises(MgcError, match=r"genres\.csv cannot be read"):
        import_fma("small", fma)


def test_a_table_without_the_third_line_is_read_too(fma: Path) -> None:
    path = fma / "fma_metadata" / "tracks.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]))
    assert len(import_fma("large", fma)[0]) == 20


def test_the_dataset_keeps_the_official_split(fma: Path) -> None:
    dataset = add_fma("fma-large", "large", fma)
    assert dataset.tracks["split"].value_counts().to_dict() == {
        "training": 12, "validation": 4, "test": 4,
    }  # fmt: skip
    assert dataset.record["group_by"] == "artist"
    pd.testing.assert_frame_equal(table.load("fma-large").tracks, dataset.tracks)


def test_a_genre_that_no_training_track_has_is_left_out(fma: Path) -> None:
    def pop(number: int, values: dict) -> None:
        if values["set", "split"] == "test" and number % 2:
            values["track", "genre_top"] = "Pop"

    change(fma, pop)
    dataset = add_fma("fma-large", "large", fma)
    assert dataset.genres == ["Folk", "Rock"]
    assert dataset.record["left_out"] == {"genre Pop": 2}


def test_known_bad_clips_are_heard_and_quarantined(fma: Path) -> None:
    def known(number: int, values: dict) -> None:
        values["", ""] = {2: "98567", 3: "133297", 4: "1486"}.get(number, str(number))

    change(fma, known)
    top = fma / "fma_large"
    write(top / clip_name(98567), music(1, 0.5), format="MP3")
    clip(top, 133297, b"no mp3")
    clip(top, 1486)  # is on the list, but this one is sound
    dataset = add_fma("fma-large", "large", fma)
    tracks, counts = usable(dataset)
    assert counts == {"too short": 1, "undecodable": 1}
    assert "1486" in set(tracks["track_id"])
    assert not {"98567", "133297"} & set(tracks["track_id"])


def test_checksum_faults_are_quarantined(fma: Path) -> None:
    dataset = add_fma("fma-large", "large", fma, bad_clips={"2": "SHA-1 is x"})
    assert usable(dataset)[1] == {"checksum": 1}
    again = add_fma("fma-large", "large", fma, bad_clips={})
    assert usable(again)[1] == {}


def test_metadata_at_full_size_in_time_and_memory(tmp_path: Path) -> None:
    """106,574 rows with the texts of the real table: under 20 s and 1.5 GiB."""
    rows = full_rows()
    write_tables(tmp_path / "fma_metadata", rows)
    assert (tmp_path / "fma_metadata" / "tracks.csv").stat().st_size > 100_000_000
    top = tmp_path / "fma_full"
    for folder in {clip_name(int(line[0]))[:3] for line in rows}:
        (top / folder).mkdir(parents=True)
    for line in rows:
        (top / clip_name(int(line[0]))).touch()
    script = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from mgc.datasets.importers.importing import add_fma
dataset = add_fma("fma-full", "full", Path(sys.argv[1]))
print(len(dataset.tracks), dataset.record["left_out"]["no single top genre"])
status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with the starter's
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print(time.perf_counter() - start, int(peak) * 1024)
"""
    made = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    tracks, several, seconds, memory = (float(value) for value in made.stdout.split())
    assert tracks + several == FULL
    assert several == sum(line[-13] == "" for line in rows) > 1000
    print(f"{FULL} rows: {seconds:.1f} s, {memory / 2**20:.0f} MiB")
    assert seconds < 20
    assert memory < 1.5 * 2**30
