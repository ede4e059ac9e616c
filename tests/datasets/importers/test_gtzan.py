from pathlib import Path

import pytest

from mgc.datasets.importers.facts import GTZAN_GENRES
from mgc.datasets.importers.gtzan import import_gtzan, read_artists, read_lists
from mgc.datasets.importers.importing import add_gtzan
from mgc.datasets.quarantine import usable
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import music, write


def clips(
    folder: Path, genres: tuple[str, ...] = ("blues", "jazz", "rock"), count: int = 4
) -> Path:
    for genre in genres:
        for number in range(count):
            write(folder / genre / f"{genre}.{number:05d}.wav", music(number, 2.1))
    return folder


def lists(folder: Path, train: str, valid: str, test: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in (("train", train), ("valid", valid), ("test", test)):
        (folder / f"{name}_filtered.txt").write_text(text)
    return folder


@pytest.mark.parametrize("inner", ["", "genres", "genres_original", "Data/genres_original"])
def test_every_known_tree(tmp_path: Path, inner: str) -> None:
    clips(tmp_path / inner)
    tracks, root, record = import_gtzan(tmp_path)
    assert root == tmp_path / inner
    assert len(tracks) == 12
    assert record["importer"] == "gtzan"
    row = tracks.set_index("track_id").loc["jazz.00002"]
    assert (row["path"], row["genre"], row["split"]) == ("jazz/jazz.00002.wav", "jazz", "")


def test_all_ten_genres_and_formats(tmp_path: Path) -> None:
    clips(tmp_path, GTZAN_GENRES, 1)
    write(tmp_path / "pop" / "pop.00001.au", music(1, 1.0))
    write(tmp_path / "pop" / "pop.00002.mp3", music(1, 1.0), format="MP3")
    (tmp_path / "pop" / "pop.00003.mf").write_text("x")
    (tmp_path / "pop" / "notes.wav").write_bytes(b"x")
    tracks = import_gtzan(tmp_path)[0]
    assert set(tracks["genre"]) == set(GTZAN_GENRES)
    assert list(tracks.loc[tracks["genre"] == "pop", "path"]) == [
        "pop/pop.00000.wav", "pop/pop.00001.au", "pop/pop.00002.mp3",
    ]  # fmt: skip


def test_a_clip_in_two_formats_is_one_track(tmp_path: Path) -> None:
    clips(tmp_path)
    write(tmp_path / "jazz" / "jazz.00000.au", music(0, 1.0))
    tracks, _, record = import_gtzan(tmp_path)
    assert len(tracks) == 12
    assert record["left_out"] == {"second copy in another format": 1}


def test_trees_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not look like GTZAN"):
        import_gtzan(tmp_path / "absent")
    write(tmp_path / "blues" / "song.wav", music(1, 0.1))
    (tmp_path / "jazz").mkdir()
    with pytest.raises(UsageError, match="does not look like GTZAN"):
        import_gtzan(tmp_path)


def test_the_filtered_split(tmp_path: Path) -> None:
    clips(tmp_path / "genres")
    folder = lists(
        tmp_path / "lists",
        "".join(f"{g}/{g}.00000.wav\n{g}/{g}.00001.au\n" for g in ("blues", "jazz", "rock")),
        "blues.00002\njazz.00002.wav\n",
        "blues/blues.00003.wav\r\nrock/rock.00003.wav\r\n",
    )
    tracks, _, record = import_gtzan(tmp_path, [folder])
    assert tracks["split"].value_counts().to_dict() == {"training": 6, "validation": 2, "test": 2}
    assert record["left_out"] == {"not in the filtered lists": 2}
    same = import_gtzan(tmp_path, sorted(folder.iterdir()))[0]
    assert same.equals(tracks)


def test_lists_that_do_not_fit(tmp_path: Path) -> None:
    clips(tmp_path / "genres")
    folder = lists(tmp_path / "lists", "blues.00000", "blues.00001", "blues.00000")
    with pytest.raises(UsageError, match=r"blues\.00000 is in the training list too"):
        read_lists([folder])
    with pytest.raises(UsageError, match="There is no list of the validation clips"):
        read_lists([folder / "train_filtered.txt"])
    (folder / "test_other.txt").write_text("")
    with pytest.raises(UsageError, match="There is more than one list of the test clips"):
        read_lists([folder])
    with pytest.raises(MgcError, match="cannot be read"):
        read_lists([tmp_path / f"{name}.txt" for name in ("train", "valid", "test")])
    lists(tmp_path / "others", "disco.00000", "disco.00001", "disco.00002")
    with pytest.raises(UsageError, match="names none of the clips"):
        import_gtzan(tmp_path, [tmp_path / "others"])


@pytest.mark.parametrize(
    "text",
    [
        "blues.00000.wav, John Lee Hooker, One Bourbon\njazz.00001.au, Monk, Epistrophy\n",
        'file,artist\nblues/blues.00000.wav,"John Lee Hooker"\nx/jazz.00001.wav,Monk\n',
        "blues.00000\tJohn Lee Hooker\njazz.00001\tMonk\n",
        "blues.00000.au ::: John Lee Hooker ::: One\njazz.00001.au ::: Monk ::: Two\n",
        "1;blues.00000.au;John Lee Hooker\n2;jazz.00001.au;Monk\n",
        "blues.00000.wav: John Lee Hooker\n\njazz.00001.wav: Monk\n# end\n",
    ],
)
def test_artist_lists(tmp_path: Path, text: str) -> None:
    (tmp_path / "artists").write_text(text)
    found = read_artists(tmp_path / "artists")
    assert found == {"blues.00000": "John Lee Hooker", "jazz.00001": "Monk"}


def test_artist_lists_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "artists").write_text("nobody, nothing\n")
    with pytest.raises(UsageError, match="names no clip with its artist"):
        read_artists(tmp_path / "artists")
    with pytest.raises(MgcError, match="cannot be read"):
        read_artists(tmp_path / "absent")


def test_artists_group_the_split(tmp_path: Path) -> None:
    clips(tmp_path / "genres", count=12)
    lines = [
        f"{genre}.{number:05d},{genre} artist {number // 3}"
        for genre in ("blues", "jazz", "rock")
        for number in range(12)
    ]
    (tmp_path / "artists.csv").write_text("\n".join(lines))
    dataset = add_gtzan("gtzan", tmp_path, artists=tmp_path / "artists.csv", group_by=None, seed=0)
    assert dataset.record["group_by"] == "artist"
    assert (dataset.tracks.groupby("artist")["split"].nunique() == 1).all()
    assert set(dataset.tracks["split"]) == {"training", "validation", "test"}


def test_the_known_corrupt_clip_is_quarantined_if_it_is(tmp_path: Path) -> None:
    clips(tmp_path)
    sound = write(tmp_path / "jazz" / "jazz.00054.wav", music(54, 2.1))
    assert usable(add_gtzan("gtzan", tmp_path, group_by=None, seed=0))[1] == {}
    sound.write_bytes(b"RIFF of nothing")
    tracks, counts = usable(add_gtzan("gtzan", tmp_path, group_by=None, seed=0))
    assert counts == {"undecodable": 1}
    assert len(tracks) == 12
