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
