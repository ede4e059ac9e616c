"""Checks of a strategy: what it makes of made-up members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mgc.checks import require
from mgc.checks.base import NotApplicable, Problem, Subject
from mgc.errors import MgcError

TRACKS, GENRES = 60, 4
#: A strategy that learns may decide differently if the two best genres are nearly equal.
AGREEMENT = 0.9


class ToyMembers(NamedTuple):
    """What members predict for some tracks, with the true genres and the artists (track,)."""

    members: Any
    genres: np.ndarray
    groups: np.ndarray

    def at(self, rows: Sequence[int] | np.ndarray) -> ToyMembers:
        """The same on some of the tracks."""
        some = [member[rows] for member in self.members]
        members = some if isinstance(self.members, list) else np.stack(some)
        return ToyMembers(members, self.genres[rows], self.groups[rows])

    def in_order(self, order: Sequence[int]) -> ToyMembers:
        """The same with the members in another order."""
        moved = [self.members[m] for m in order]
        return self._replace(members=moved if isinstance(self.members, list) else np.stack(moved))


def learns(subject: Subject) -> bool:
    """Whether there is something to fit."""
    return bool(subject.info.learns != "nothing")


def only_probabilities(subject: Subject) -> None:
    """Raise NotApplicable for a strategy that combines embeddings."""
    if subject.info.combines == "embeddings":
        raise NotApplicable("it combines embeddings")


def heard(subject: Subject, seed: int = 0, members: int = 3) -> ToyMembers:
    """Members that are right more often than not, each making different mistakes."""
    random = np.random.default_rng(seed)
    genres = np.arange(TRACKS) % GENRES
    groups = np.arange(TRACKS) // 3
    truth = np.eye(GENRES)[genres]
    if subject.info.combines == "embeddings":
        # Each member has its own space, the same for every seed.
        maps = [np.random.default_rng(m).standard_normal((GENRES, 5 + m)) for m in range(members)]
        noise = [0.5 * random.standard_normal((TRACKS, 5 + m)) for m in range(members)]
        return ToyMembers([truth @ a + b for a, b in zip(maps, noise, strict=True)], genres, groups)
    sharpness = np.linspace(1.5, 3.0, members)[:, None, None]
    scores = sharpness * (truth + 0.6 * random.standard_normal((members, TRACKS, GENRES)))
    powers = np.exp(scores)
    return ToyMembers(powers / powers.sum(2, keepdims=True), genres, groups)


def ready(subject: Subject, data: ToyMembers) -> Any:
    """The strategy, fitted if it learns."""
    strategy = subject.implementation(subject.params, 0)
    return strategy.fit(*data, GENRES) if learns(subject) else strategy


def combined(strategy: Any, members: Any, what: str = "combine") -> np.ndarray:
    """The strategy's answer, checked."""
    return require.probabilities(strategy.combine(members), len(members[0]), GENRES, what)


def check_methods(subject: Subject) -> None:
    """The strategy has all its methods."""
    require.method(subject, "combine", "write def combine(self, members): …")
    for method in ("fit", "state", "restore") if learns(subject) else ():
        mend = f'write def {method}(self, …), or declare learns="nothing"'
        require.method(subject, method, mend)


def check_simplex(subject: Subject) -> None:
    """Rows are probabilities, for many tracks and for one."""
    data = heard(subject)
    strategy = ready(subject, data)
    combined(strategy, heard(subject, 1).members)
    combined(strategy, data.at([0]).members, "one track")


def check_certain_members(subject: Subject) -> None:
    """Members that are certain (probabilities of 0 and 1) give no NaN."""
    only_probabilities(subject)
    random = np.random.default_rng(3)
    sure = np.eye(GENRES)[random.integers(0, GENRES, (3, TRACKS))]
    combined(ready(subject, heard(subject)), sure, "members that are certain and disagree")


def check_helps(subject: Subject) -> None:
    """Three decent members together are not worse than the worst of them."""
    test = heard(subject, 1)
    floor = 0.6
    if subject.info.combines == "probabilities":
        floor = float((test.members.argmax(2) == test.genres).mean(1).min())
    got = combined(ready(subject, heard(subject)), test.members)
    mend = "column g of the answer is genre number g"
    require.learnt(got, test.genres, floor, "the tracks", mend)


def check_one_member(subject: Subject) -> None:
    """One member alone keeps its decisions."""
    if subject.info.combines == "embeddings":
        raise NotApplicable("an embedding alone decides nothing")
    data, test = heard(subject, members=1), heard(subject, 1, members=1)
    got = combined(ready(subject, data), test.members, "a single member")
    least = AGREEMENT if learns(subject) else 1.0
    mend = "weigh members against each other, not genres"
    _require_same_decisions(test.members[0], got, "as the only member", mend, least)


def check_order_of_members(subject: Subject) -> None:
    """The order of the members does not matter."""
    data, test, order = heard(subject), heard(subject, 1), [2, 0, 1]
    _require_same_answers(
        subject,
        combined(ready(subject, data), test.members),
        combined(ready(subject, data.in_order(order)), test.in_order(order).members),
        "with members in another order",
        "treat every member alike; break ties by what the members say, not by their position",
    )


def check_order_of_genres(subject: Subject) -> None:
    """Genres in another order give the same answer in that order."""
    only_probabilities(subject)
    data, test, order = heard(subject), heard(subject, 1), np.array([2, 0, 3, 1])
    one = combined(ready(subject, data), test.members)[:, order]
    numbers = np.argsort(order)[data.genres]
    moved = ToyMembers(data.members[:, :, order], numbers, data.groups)
    other = combined(ready(subject, moved), test.members[:, :, order])
    mend = "treat every genre alike"
    _require_same_answers(subject, one, other, "with genres in another order", mend)


def check_track_by_track(subject: Subject) -> None:
    """A track's answer does not depend on the other tracks."""
    strategy, test = ready(subject, heard(subject)), heard(subject, 1)
    together = combined(strategy, test.members)
    alone = [combined(strategy, test.at([track]).members) for track in range(TRACKS)]
    require.same(
        together,
        np.concatenate(alone),
        "the same answer for a track alone as among others",
        "normalise over one track's probabilities; learn what needs many tracks in fit",
        absolute=1e-9,
    )


def check_nan_is_refused(subject: Subject) -> None:
    """NaN from a member is refused, not passed on."""
    only_probabilities(subject)
    strategy, members = ready(subject, heard(subject)), heard(subject, 1).members.copy()
    members[1, 5] = np.nan
    try:
        got = strategy.combine(members)
    except (MgcError, ValueError):
        return
    if np.isnan(got[5]).any():
        return  # visible: mgc refuses an answer that is NaN
    raise Problem(
        "mgc.MgcError, or NaN for that track",
        "a plausible answer made from NaN",
        "do not clean NaN away (nan_to_num, nanmean): a member is broken",
    )


def check_input_is_left_alone(subject: Subject) -> None:
    """The members' predictions are not changed."""
    data = heard(subject)
    members = {f"member {number}": member for number, member in enumerate(data.members)}
    with require.unchanged(members, "p = p / s, not p /= s"):
        combined(ready(subject, data), data.members)


def check_same_twice(subject: Subject) -> None:
    """The same members give the same answer again, in a new object too."""
    data, test = heard(subject), heard(subject, 1).members
    strategy = ready(subject, data)
    first = combined(strategy, test)
    for again in (strategy, ready(subject, data)):
        mend = "seed anything random with the given seed"
        require.same(first, combined(again, test), "the same answer again", mend)


def _require_same_answers(
    subject: Subject, one: np.ndarray, other: np.ndarray, how: str, mend: str
) -> None:
    """Decisions agree and, if the strategy learns nothing, probabilities too."""
    if learns(subject):
        _require_same_decisions(one, other, how, mend, AGREEMENT)
    else:
        require.same(one, other, f"the same answer {how}", mend, absolute=1e-9)


def _require_same_decisions(
    one: np.ndarray, other: np.ndarray, how: str, mend: str, least: float
) -> None:
    same = float((one.argmax(1) == other.argmax(1)).mean())
    if same < least:
        got = f"{1 - same:.0%} of the decisions differ"
        raise Problem(f"the same decisions {how}", got, mend)
