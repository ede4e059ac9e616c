"""The nearest known tracks: exact, never of the same artist unless asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import mgc
from mgc import fitting
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.errors import MgcError, UsageError
from mgc.extractors.texture import Texture
from mgc.prediction import similar
from mgc.prediction.model import Model
from tests.fitting.test_fitting import asked


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, music: Path) -> object:
    """A run with folds of 30 tracks of 5 artists; its home stays for the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(tmp_path_factory.mktemp("home")))
        importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
        yield mgc.load(fitting.fit(asked(folds=3)).folder)


def known(model: Model) -> similar.KnownTracks:
    from mgc.progress import Silent

    return similar.known_tracks(model.predictor, None, Silent())


def test_distances_are_cosines_about_the_mean(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.metrics.pairwise import cosine_distances

    monkeypatch.setattr(similar, "BLOCK_ROWS", 7)
    tracks = known(model)
    [rows] = tracks.vectors
    expected = cosine_distances(rows - rows.mean(0, dtype=np.float64))[4]
    np.testing.assert_allclose(tracks.distances([rows[4]]), expected, atol=1e-6)


def test_a_track_is_not_its_own_neighbour_and_neither_is_its_artist(model: Model) -> None:
    tracks = known(model).tracks
    for _, track in tracks.iloc[::7].iterrows():
        found = model.similar(track["track_id"], count=100)
        assert len(found) == 24  # of 30: the six tracks of the artist are left out
        assert track["artist"] not in {one.artist for one in found}
        assert not found.remark
        with_artist = model.similar(track["track_id"], count=100, same_artist=True)
        assert len(with_artist) == 29
        assert track["track_id"] not in {one.track_id for one in with_artist}
        distances = [one.distance for one in found]
        assert distances == sorted(distances)


def test_music_is_near_to_its_genre(model: Model) -> None:
    tracks = known(model).tracks
    same = [
        one.genre == track["genre"]
        for _, track in tracks.iterrows()
        for one in model.similar(track["track_id"], count=3)
    ]
    assert np.mean(same) > 0.6  # a third by chance


def test_a_file_that_is_a_known_track_is_that_track(
    model: Model, tmp_path: Path, music: Path
) -> None:
    path = next((music / "jazz").rglob("*.wav"))
    copy = tmp_path / "copy.wav"
    copy.write_bytes(path.read_bytes())
    track = known(model).tracks.set_index("path").loc[str(path), "track_id"]
    assert model.similar(copy).found == model.similar(track).found == model.similar(path).found


def test_a_file_of_an_unknown_artist_says_so(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "new.wav"
    soundfile.write(path, synthesise("metal", 77, 0, seconds=3.0), 22_050)
    found = model.similar(path, count=3)
    assert {one.genre for one in found} == {"metal"}
    assert "artist is not known" in found.remark
    assert not model.similar(path, same_artist=True).remark
    soundfile.write(path, np.zeros(66_150), 22_050)
    assert model.similar(path, same_artist=True).remark == (
        f"{path}: is digital silence, so its neighbours mean nothing."
    )


def test_tracks_of_another_dataset_are_embedded_by_the_run(
    model: Model, tmp_path: Path, music: Path
) -> None:
    for genre in ("metal", "jazz"):
        (tmp_path / "o" / genre).mkdir(parents=True)
        for number in range(3):
            wave = synthesise(genre, 50 + number, 0, seconds=3.0)
            soundfile.write(tmp_path / "o" / genre / f"{number}.wav", wave, 22_050)
    (tmp_path / "o" / "jazz" / "bad.wav").write_bytes(b"no sound")
    importing.add_path("other", tmp_path / "o", group_by=None, seed=0, drop_rare=False)
    found = model.similar(next((music / "jazz").rglob("*.wav")), "other", 10)
    assert (len(found), found.known) == (6, 6)
    assert found.remark == "other names no artists, so tracks of the same one may be among these."
    apart = [model.similar(tmp_path / "o" / "metal" / f"{n}.wav", "other")[0] for n in range(3)]
    assert {one.genre for one in apart} == {"metal"}


def test_files_are_compared_as_a_dataset_of_them_is(
    model: Model, tmp_path: Path, music: Path
) -> None:
    files = sorted(music.rglob("*.wav"))
    wanted = next(path for path in files if "jazz" in str(path))
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    found = model.similar(wanted, [*map(str, files), bad, str(files[0])], 100, same_artist=True)
    expected = model.similar(wanted, "m", 100, same_artist=True)
    assert [(one.path, one.distance) for one in found] == [
        (one.path, one.distance) for one in expected
    ]
    assert (found.known, len(found.failures)) == (len(files), 1)
    assert str(bad) in found.failures[0]
    assert model.similar(str(wanted), files, 1)[0].track_id in map(str, files)
    with pytest.raises(MgcError, match="None of the files of the list"):
        model.similar(wanted, [bad])
    with pytest.raises(MgcError, match="None of the files of the list"):
        model.similar(wanted, [])


def test_artists_of_files_are_those_of_their_tags(model: Model, tmp_path: Path) -> None:
    for number, artist in enumerate(("one", "one", "two")):
        with soundfile.SoundFile(tmp_path / f"{number}.flac", "w", 22_050, 1) as file:
            file.artist, file.title = artist, f"title {number}"
            file.write(synthesise("metal", number, 0, seconds=3.0))
    files = sorted(tmp_path.iterdir())
    [other] = model.similar(files[0], files)
    assert (other.artist, other.title, other.path) == ("two", "title 2", str(files[2]))
    assert len(model.similar(files[0], files, same_artist=True)) == 2


def test_an_ensemble_has_the_mean_distance_of_its_members(model: Model) -> None:
    other = mgc.fit("m", "chroma", "logistic", folds=3)
    assert model.run
    both = mgc.ensemble("geometric-mean", [model.run, other])
    track = known(model).tracks["track_id"].iloc[0]
    alone = [m.similar(track, count=50) for m in (model, mgc.load(other.folder))]
    apart = [{one.track_id: one.distance for one in found} for found in alone]
    for one in both.model().similar(track, count=50):
        mean = np.mean([distances[one.track_id] for distances in apart])
        assert one.distance == pytest.approx(mean, abs=1e-6)
    (other.folder / "run.json").rename(other.folder / "gone.json")  # features are still there
    again = both.model().similar(track, count=5)
    assert [one.track_id for one in again] == [
        one.track_id for one in both.model().similar(track, count=5)
    ]


def test_names_that_are_unknown(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no track of m, is named"):
        model.similar("\udcff.mp3")
    with pytest.raises(UsageError, match="no track of m, is named 'nobody'"):
        model.similar("nobody")
    with pytest.raises(UsageError, match="No dataset or run is named 'nowhere'"):
        model.similar("nobody", "nowhere")
    with pytest.raises(UsageError, match="0 tracks"):
        model.similar("nobody", count=0)
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(MgcError, match=r"bad\.wav"):
        model.similar(tmp_path / "bad.wav")
    with pytest.raises(MgcError, match=r"gone\.wav"):
        model.similar(tmp_path / "gone.wav")


def test_no_texture_is_made_to_embed(
    model: Model, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Texture, clips: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Texture, "__call__", fail)
    song = sorted(music.rglob("*.wav"))[0]
    assert model.embed(song).any()
    assert len(model.similar((np.ones(44_100), 22_050))) == 10


def test_embeddings_of_other_heads_are_refused() -> None:
    known = similar.KnownTracks(pd.DataFrame(), [np.zeros((5, 3)), np.zeros((5, 2))], "m")
    with pytest.raises(MgcError, match="are not of its heads"):
        known.distances([np.zeros(3), np.zeros(3)])
