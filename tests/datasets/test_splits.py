import zlib

import numpy as np
import pandas as pd
import pytest

from mgc.datasets import splits
from mgc.errors import UsageError
from tests.datasets.conftest import rows


def crossing(tracks: pd.DataFrame, column: str) -> int:
    return int((tracks[tracks[column] != ""].groupby(column)["split"].nunique() > 1).sum())


def test_groups_by_artist_keep_unknown_artists_apart() -> None:
    tracks = rows(1, 1, 5).assign(artist=["a", "", "b", "a", ""])
    group = splits.groups(tracks, "artist")
    assert group[0] == group[3]
    assert len(set(group)) == 4


def test_groups_join_what_hangs_together() -> None:
    # 0-1 share an artist, 1-2 an album, 2-3 an artist: one component. 4 is alone.
    tracks = rows(1, 1, 5).assign(artist=["a", "a", "b", "b", ""], album=["", "x", "x", "", ""])
    group = splits.groups(tracks, "artist+album")
    assert len(set(group[:4])) == 1
    assert group[4] != group[0]
    assert len(set(splits.groups(tracks, "album"))) == 4
    assert len(set(splits.groups(tracks, "none"))) == 5


def test_groups_match_a_plain_search_on_random_tables() -> None:
    random = np.random.default_rng(0)
    for _ in range(8):
        tracks = rows(1, 1, 40).assign(
            artist=random.choice(["", *"abcdefghij"], 40), album=random.choice(["", *"uvwxyz"], 40)
        )
        group = splits.groups(tracks, "artist+album")
        seen = list(range(40))
        for _ in range(8):  # the least number spreads over shared names until nothing changes
            for column in ("artist", "album"):
                for _, same in tracks[tracks[column] != ""].groupby(column):
                    least = min(seen[i] for i in same.index)
                    for i in same.index:
                        seen[i] = least
        assert [[a == b for b in group] for a in group] == [[a == b for b in seen] for a in seen]


def test_unknown_grouping_is_refused() -> None:
    with pytest.raises(UsageError, match="'label'"):
        splits.groups(rows(), "label")  # type: ignore[arg-type]


def test_recordings_stay_together_whatever_the_grouping() -> None:
    tracks = rows(1, 2, 2).assign(recording=["", "r1", "r1", ""])
    for by in ("none", "artist"):
        group = splits.groups(tracks, by)
        assert group[1] == group[2]
    assert len(set(splits.groups(tracks, "none"))) == 3


def test_default_grouping() -> None:
    tracks = rows()
    assert splits.default_grouping(tracks) == "artist"
    assert splits.default_grouping(tracks.assign(artist="", album="x")) == "album"
    assert splits.default_grouping(tracks.assign(artist="")) == "none"


def test_made_splits_are_stratified_and_grouped() -> None:
    tracks = rows(4, 20, 3)
    tracks["split"] = splits.make_split(tracks, "artist", seed=1)
    assert crossing(tracks, "artist") == 0
    share = tracks["split"].value_counts(normalize=True)
    assert share["training"] == pytest.approx(0.7, abs=0.05)
    assert share["validation"] == pytest.approx(0.1, abs=0.05)
    assert share["test"] == pytest.approx(0.2, abs=0.05)
    by_genre = pd.crosstab(tracks["genre"], tracks["split"])
    assert (by_genre.max() - by_genre.min()).max() <= 6  # two artists


def test_seeds_decide_the_split() -> None:
    tracks = rows(3, 12, 2)
    one, same, other = (splits.make_split(tracks, "artist", seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_every_genre_is_in_every_split_with_the_fewest_groups() -> None:
    for seed in range(20):
        tracks = rows(3, 3, 2)
        tracks["split"] = splits.make_split(tracks, "artist", seed)
        assert (pd.crosstab(tracks["genre"], tracks["split"]) > 0).all().all()


def test_genres_with_too_few_groups_are_named() -> None:
    tracks = rows(2, 2, 5)
    with pytest.raises(UsageError, match="Genre 'g0' has only 2 artists") as caught:
        splits.make_split(tracks, "artist", 0)
    assert "--group-by none" in caught.value.hint
    with pytest.raises(UsageError, match="only 2 artists: too few for 3 folds"):
        splits.k_folds(tracks, 3, "artist", 0)
    with pytest.raises(UsageError, match="too few"):
        splits.k_folds(tracks, 1, "artist", 0)


def test_folds_test_each_track_once_and_never_share_a_group() -> None:
    tracks = rows(3, 10, 3)
    group = splits.groups(tracks, "artist")
    folds = splits.k_folds(tracks, 5, "artist", seed=3)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(tracks)))
    for fold in folds:
        parts = (fold.training, fold.validation, fold.test)
        assert sum(map(len, parts)) == len(tracks) == len(set(np.concatenate(parts)))
        held = [set(group[part]) for part in parts]
        assert not held[0] & held[1]
        assert not held[0] & held[2]
        assert not held[1] & held[2]
        assert all(len(part) for part in parts)
        assert set(tracks["genre"].iloc[fold.training]) == {"g0", "g1", "g2"}
    assert [fold.number for fold in folds] == [0, 1, 2, 3, 4]


def test_official_fold_takes_the_column() -> None:
    tracks = rows(2, 6, 2)
    split = splits.make_split(tracks, "artist", 0)
    fold = splits.official_fold(tracks.assign(split=split), "artist", 0)
    assert list(fold.training) == list(np.nonzero(split == "training")[0])
    assert list(fold.validation) == list(np.nonzero(split == "validation")[0])
    assert list(fold.test) == list(np.nonzero(split == "test")[0])


def test_official_fold_holds_out_validation_where_there_is_none() -> None:
    tracks = rows(2, 10, 2)
    split = splits.make_split(tracks, "artist", 0).replace("validation", "training")
    tracks = tracks.assign(split=split)
    fold = splits.official_fold(tracks, "artist", 0)
    group = splits.groups(tracks, "artist")
    assert len(fold.validation)
    assert not set(group[fold.training]) & set(group[fold.validation])
    assert len(fold.training) + len(fold.validation) == (split == "training").sum()


def test_official_fold_passes_over_tracks_without_a_split() -> None:
    tracks = rows(2, 6, 2)
    split = splits.make_split(tracks, "artist", 0)
    split.iloc[0] = ""
    fold = splits.official_fold(tracks.assign(split=split), "artist", 0)
    assert 0 not in np.concatenate([fold.training, fold.validation, fold.test])


@pytest.mark.parametrize("missing", ["training", "test"])
def test_official_fold_needs_training_and_test(missing: str) -> None:
    tracks = rows(2, 6, 2)
    split = splits.make_split(tracks, "artist", 0).replace(missing, "validation")
    with pytest.raises(UsageError, match=f"no track in its {missing} split"):
        splits.official_fold(tracks.assign(split=split), "artist", 0)


def test_official_fold_with_one_training_group_says_so() -> None:
    tracks = rows(2, 2, 2).assign(artist="one", split=["training", "test"] * 4)
    with pytest.raises(UsageError, match="validation"):
        splits.official_fold(tracks, "artist", 0)


def test_split_hash_tells_splits_apart() -> None:
    tracks = rows(3, 10, 3)
    folds = splits.k_folds(tracks, 5, "artist", 0)
    other = splits.k_folds(tracks, 5, "artist", 1)
    assert splits.split_hash(tracks, folds) == splits.split_hash(tracks, folds)
    assert splits.split_hash(tracks, folds) != splits.split_hash(tracks, other)
    assert splits.split_hash(tracks, folds) != splits.split_hash(tracks, folds[::-1])
    # Moving the border between two parts changes the name although the text in a row is the same.
    fold = folds[0]
    moved = splits.Fold(
        0, np.r_[fold.training, fold.validation[:1]], fold.validation[1:], fold.test
    )
    assert splits.split_hash(tracks, [fold]) != splits.split_hash(tracks, [moved])


@pytest.mark.parametrize(
    ("shape", "made", "folds"),
    [
        ((4, 20, 3), "aaed627e", "f65aed58"),
        ((2, 6, 3), "bec69c11", "fa5a47a8"),
        ((8, 6, 3), "cef008a0", "6e7ae063"),
        ((3, 10, 5), "98fed680", "b3ece553"),
        ((10, 50, 2), "4cc50b11", "40a2bd1b"),
    ],
)
def test_ordinary_sets_are_divided_as_they_always_were(
    shape: tuple[int, int, int], made: str, folds: str
) -> None:
    """Checksums by version 0.1.0: runs of different versions stay comparable."""
    tracks = rows(*shape)
    split = splits.make_split(tracks, "artist", 1)
    assert f"{zlib.crc32(','.join(split).encode()):08x}" == made
    assert splits.split_hash(tracks, splits.k_folds(tracks, 5, "artist", 1)) == folds


def test_folds_without_a_validation_part_say_why() -> None:
    genre = ["g0", "g0", "g0", "g2", "g1", "g1", "g0", "g0", "g1", "g0", "g2", "g0", "g1"]
    artist = ["a0", "a0", "a1", "a1", "a2", "a3", "a3", "a3", "a3", "a3", "a4", "a5", "a6"]
    tracks = rows(1, 1, 13).assign(genre=genre, artist=artist)
    with pytest.raises(UsageError, match="too few artists for 2 folds with a validation part") as e:
        splits.k_folds(tracks, 2, "artist", 259)
    assert "--group-by none" in e.value.hint


@pytest.mark.parametrize("shape", [(3, 6, 2), (2, 12, 1), (4, 10, 3)])
@pytest.mark.parametrize("names", [range(1, 11), ["fold1", "fold2", "fold3"], range(2)])
def test_the_table_s_own_folds_are_used(shape: tuple[int, int, int], names: list) -> None:
    tracks = rows(*shape)
    names = [str(name) for name in names]
    tracks["fold"] = [names[number % len(names)] for number in range(len(tracks))]
    assert splits.given_folds(tracks) == len(names)
    folds = splits.k_folds(tracks, len(names), "none", seed=3, given=True)
    for name, fold in zip(names, folds, strict=True):
        assert set(tracks["fold"].iloc[fold.test]) == {name}
        assert len(fold.training) > len(fold.validation) > 0
        parts = (fold.training, fold.validation, fold.test)
        assert sorted(np.concatenate(parts)) == list(range(len(tracks)))
    assert not splits.given_folds(tracks.drop(columns="fold"))
    assert not splits.given_folds(tracks.assign(fold="1"))
    assert not splits.given_folds(tracks.assign(fold=["", *tracks["fold"][1:]]))
    assert not splits.given_folds(tracks.assign(fold=tracks["track_id"]))


def test_no_genre_goes_unlearnt_because_of_one_large_artist() -> None:
    """Two folds of 200 random sets of few, unequal artists."""
    useless = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        artist = np.repeat(np.arange(12), np.minimum(1 + random.pareto(0.7, 12).astype(int), 40))
        genre = np.r_[np.arange(3), np.arange(3), random.integers(0, 3, 6)][artist]
        tracks = rows(1, 1, len(artist)).assign(
            genre=[f"g{g}" for g in genre], artist=[f"a{a}" for a in artist]
        )
        try:
            folds = splits.k_folds(tracks, 2, "artist", seed)
        except UsageError:
            useless += 1
            continue
        for fold in folds:
            assert set(tracks["genre"].iloc[fold.test]) <= set(tracks["genre"].iloc[fold.training])
            assert 0 < len(fold.validation) <= len(fold.training)
    assert useless < 100
