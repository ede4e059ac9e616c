"""Which parts of a track are heard."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgc.audio.clip_policy import ClipPolicy, checked_length, too_short
from mgc.errors import AudioError, UsageError


@pytest.mark.parametrize(
    ("duration", "starts"),
    [
        (0.0, [0.0]),
        (12.0, [0.0]),
        (30.0, [0.0]),
        (29.98, [0.0]),
        (40.0, [5.0]),  # a single clip is the middle
        (59.9, [14.95]),
        (60.0, [0.0, 30.0]),
        (100.0, [0.0, 35.0, 70.0]),
        (120.0, [0.0, 30.0, 60.0, 90.0]),
        (36_000.0, [0.0, 11_990.0, 23_980.0, 35_970.0]),
    ],
)
def test_the_default_policy(duration: float, starts: list[float]) -> None:
    assert ClipPolicy().starts(duration) == pytest.approx(starts)


@pytest.mark.parametrize("rate", [11_025, 22_050, 44_100, 22_051, 22_054])
def test_a_clip_of_the_least_length_is_long_enough(rate: int) -> None:
    assert not too_short(round(0.25 * rate), rate)
    assert too_short(round(0.25 * rate) - 2, rate)


def test_what_is_too_short_is_never_said_to_be_long_enough() -> None:
    checked_length("a.wav", 11_025, 44_100)
    with pytest.raises(AudioError, match=r"a\.wav: is too short \(0\.24 s of at least 0\.25 s\)"):
        checked_length("a.wav", 11_000, 44_100)


@given(
    duration=st.floats(0, 1e5),
    seconds=st.floats(0.5, 120),
    per_track=st.integers(1, 50),
)
def test_clips_are_full_inside_and_side_by_side(
    duration: float, seconds: float, per_track: int
) -> None:
    starts = ClipPolicy(seconds, per_track).starts(duration)
    assert 1 <= len(starts) <= per_track
    assert starts == sorted(starts)
    assert starts[0] >= 0
    if duration >= seconds:
        assert starts[-1] + seconds <= duration + 1e-6 * max(1.0, duration)
        assert len(starts) == min(per_track, int(duration // seconds))
    else:
        assert starts == [0.0]
    for before, after in pairwise(starts):
        assert after - before >= seconds * (1 - 1e-9)


@pytest.mark.parametrize("settings", [(0.0, 4), (-3.0, 4), (0.2, 1), (float("nan"), 1), (1e9, 1)])
def test_lengths_that_cannot_be_heard(settings: tuple[float, int]) -> None:
    with pytest.raises(UsageError, match="not possible"):
        ClipPolicy(*settings)


@pytest.mark.parametrize("per_track", [0, -1])
def test_no_clips_at_all(per_track: int) -> None:
    with pytest.raises(UsageError, match="not possible"):
        ClipPolicy(30.0, per_track)
