from pathlib import Path

import pandas as pd
import pytest

from mgc.datasets.importers.manifest import import_manifest
from mgc.errors import MgcError, UsageError


def csv(tmp_path: Path, text: str, name: str = "tracks.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_the_plain_case(tmp_path: Path) -> None:
    path = csv(tmp_path, "track_id,path,genre,artist,duration,bpm\n0007,a.mp3,rock,Ann,1.5,120\n")
    row = import_manifest(path).iloc[0]
    assert row["track_id"] == "0007"  # not the number 7
    assert (row["path"], row["genre"], row["artist"]) == ("a.mp3", "rock", "Ann")
    assert row["duration"] == 1.5
    assert row["bpm"] == "120"
    assert row["split"] == ""


def test_aliases_and_case(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        " ID ,FileName,Label,Subset\n1,a.mp3,rock,Train\n2,b.mp3,jazz,val\n3,c.mp3,jazz,TEST\n",
    )
    tracks = import_manifest(path)
    assert list(tracks["split"]) == ["training", "validation", "test"]
    assert list(tracks["path"]) == ["a.mp3", "b.mp3", "c.mp3"]


def test_an_alias_gives_way_to_the_real_column(tmp_path: Path) -> None:
    path = csv(tmp_path, "track_id,path,genre,label\n1,a.mp3,rock,7\n")
    tracks = import_manifest(path)
    assert tracks["genre"][0] == "rock"
    assert tracks["label"][0] == "7"


def test_two_aliases_of_one_column_do_not_clash(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,filename,label\nfull/a.mp3,a.mp3,rock\n")
    tracks = import_manifest(path)
    assert list(tracks.columns).count("path") == 1
    assert tracks["path"][0] == "full/a.mp3"


def test_rows_without_a_genre_are_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,genre\na.mp3,rock\nb.mp3,\nc.mp3,  \n")
    tracks = import_manifest(path)
    assert list(tracks["track_id"]) == ["a.mp3"]


def test_genres_are_trimmed(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,genre\na.mp3,rock \nb.mp3, rock\n")
    assert set(import_manifest(path)["genre"]) == {"rock"}


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path,genre\na.mp3,rock\n".encode("utf-8-sig"))
    assert list(import_manifest(tmp_path / "t.csv")["path"]) == ["a.mp3"]


def test_tsv_and_parquet(tmp_path: Path) -> None:
    tsv = csv(tmp_path, "path\tgenre\na.mp3\trock\n", "t.tsv")
    assert list(import_manifest(tsv)["genre"]) == ["rock"]
    pd.DataFrame({"track_id": [1, 2], "path": ["a", "b"], "genre": ["x", None]}).to_parquet(
        tmp_path / "t.parquet"
    )
    assert list(import_manifest(tmp_path / "t.parquet")["track_id"]) == ["1"]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no column 'genre'; it has path, mood"):
        import_manifest(csv(tmp_path, "path,mood\na,b\n"))
    with pytest.raises(UsageError, match="has no column 'path'"):
        import_manifest(csv(tmp_path, "genre\na\n"))


def test_unknown_splits_are_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,genre,split\na.mp3,rock,holdout\n")
    with pytest.raises(UsageError, match="split 'holdout' is unknown"):
        import_manifest(path)


def test_a_numbered_fold_is_no_split(tmp_path: Path) -> None:
    path = csv(tmp_path, "path,genre,fold\na.mp3,rock,1\nb.mp3,rock,2\n")
    tracks = import_manifest(path)
    assert list(tracks["split"]) == ["", ""]
    assert list(tracks["fold"]) == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff\xfe\x00\x01", b'path,genre\n"a,b\n'])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_no_table_is_an_error_of_one_line(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with pytest.raises(MgcError) as caught:
        import_manifest(path)
    assert "t" + suffix in caught.value.message


def test_double_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="occurs more than once"):
        import_manifest(csv(tmp_path, "path,genre\na.mp3,rock\na.mp3,jazz\n"))
