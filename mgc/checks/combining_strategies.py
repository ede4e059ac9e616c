"""Checks of a strategy: what it makes of made-up members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc.checks import probabilities
from mgc.checks.base import NotApplicable, Problem, Subject, needs
from mgc.errors import MgcError
from mgc.plugins.contract import StrategyInfo

TRACKS, GENRES = 60, 4
#: A strategy that learns may decide differently if the two best genres are nearly equal.
AGREEMENT = 0.9


@dataclass(frozen=True)
class ToyMembers:
    """What members predict for some tracks, with the true genres and the artists (track,)."""

    members: Any
    genres: np.ndarray
    groups: np.ndarray


def combines(subject: Subject) -> str:
    """What the strategy receives from its members."""
    assert isinstance(subject.info, StrategyInfo)
    return subject.info.combines


def learns(subject: Subject) -> bool:
    """Whether there is something to fit."""
    assert isinstance(subject.info, StrategyInfo)
    return subject.info.learns != "nothing"


def heard(subject: Subject, seed: int = 0, members: int = 3) -> ToyMembers:
    """Members that are right more often than not, each making different mistakes."""
    random = np.random.default_rng(seed)
    genres = np.arange(TRACKS) % GENRES
    groups = np.arange(TRACKS) // 3
    truth = np.eye(GENRES)[genres]
    if combines(subject) == "embeddings":
        # Each member has its own space, the same for every seed.
        maps = [np.random.default_rng(m).standard_normal((GENRES, 5 + m)) for m in range(members)]
        noise = [0.5 * random.standard_normal((TRACKS, 5 + m)) for m in range(members)]
        return ToyMembers([truth @ a + b for a, b in zip(maps, noise, strict=True)], genres, groups)
    sharpness = np.linspace(1.5, 3.0, members)[:, None, None]
    scores = sharpness * (truth + 0.6 * random.standard_normal((members, TRACKS, GENRES)))
    powers = np.exp(scores)
    return ToyMembers(powers / powers.sum(2, keepdims=True), genres, groups)


def ready(subject: Subject, data: ToyMembers, seed: int = 0) -> Any:
    """The strategy, fitted if it learns."""
    strategy = subject.implementation(subject.params, seed)
    if not learns(subject):
        return strategy
    return strategy.fit(data.members, data.genres, data.groups, GENRES)


def combined(strategy: Any, members: Any, what: str = "combine") -> np.ndarray:
    """The strategy's answer, checked."""
    return probabilities.check(strategy.combine(members), _tracks(members), GENRES, what)


def some(members: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """The same members on some of the tracks."""
    if isinstance(members, list):
        return [member[rows] for member in members]
    return members[:, rows]


def _tracks(members: Any) -> int:
    return len(members[0])


def check_methods(subject: Subject) -> None:
    """The strategy has all its methods."""
    needs("combine", subject.implementation, "write def combine(self, members): …")
    if learns(subject):
        for method in ("fit", "state", "restore"):
            mend = f'write def {method}(self, …), or declare learns="nothing"'
            needs(method, subject.implementation, mend)


def check_simplex(subject: Subject) -> None:
    """Rows are probabilities, for many tracks and for one."""
    data = heard(subject)
    strategy = ready(subject, data)
    combined(strategy, heard(subject, 1).members)
    combined(strategy, some(data.members, [0]), "one track")


def check_certain_members(subject: Subject) -> None:
    """Members that are certain (probabilities of 0 and 1) give no NaN."""
    if combines(subject) == "embeddings":
        raise NotApplicable("it combines embeddings")
    random = np.random.default_rng(3)
    sure = np.eye(GENRES)[random.integers(0, GENRES, (3, TRACKS))]
    combined(ready(subject, heard(subject)), sure, "members that are certain and disagree")


def check_helps(subject: Subject) -> None:
    """Three decent members together are not worse than the worst of them."""
    data, test = heard(subject), heard(subject, 1)
    right = float((combined(ready(subject, data), test.members).argmax(1) == test.genres).mean())
    floor = 0.6
    if combines(subject) == "probabilities":
        floor = float((test.members.argmax(2) == test.genres).mean(1).min())
    if right < floor:
        raise Problem(
            f"at least {floor:.0%} of the tracks right",
            f"{right:.0%}",
            "column g of the answer is genre number g",
        )


def check_one_member(subject: Subject) -> None:
    """One member alone keeps its decisions."""
    if combines(subject) == "embeddings":
        raise NotApplicable("an embedding alone decides nothing")
    data, test = heard(subject, members=1), heard(subject, 1, members=1)
    got = combined(ready(subject, data), test.members, "a single member")
    same = float((got.argmax(1) == test.members[0].argmax(1)).mean())
    if same < (AGREEMENT if learns(subject) else 1.0):
        raise Problem(
            "the only member's own decisions",
            f"{1 - same:.0%} of them differ",
            "weigh members against each other, not genres",
        )


def check_order_of_members(subject: Subject) -> None:
    """The order of the members does not matter."""
    data, test, order = heard(subject), heard(subject, 1), [2, 0, 1]
    one = combined(ready(subject, data), test.members)
    moved = ToyMembers(_pick(data.members, order), data.genres, data.groups)
    other = combined(ready(subject, moved), _pick(test.members, order))
    _same(
        subject,
        one,
        other,
        "members in another order",
        "treat every member alike; break ties by what the members say, not by their position",
    )


def check_order_of_genres(subject: Subject) -> None:
    """Genres in another order give the same answer in that order."""
    if combines(subject) == "embeddings":
        raise NotApplicable("it combines embeddings")
    data, test, order = heard(subject), heard(subject, 1), np.array([2, 0, 3, 1])
    one = combined(ready(subject, data), test.members)[:, order]
    numbers = np.argsort(order)[data.genres]
    moved = ToyMembers(data.members[:, :, order], numbers, data.groups)
    other = combined(ready(subject, moved), test.members[:, :, order])
    _same(subject, one, other, "genres in another order", "treat every genre alike")


def check_track_by_track(subject: Subject) -> None:
    """A track's answer does not depend on the other tracks."""
    strategy, test = ready(subject, heard(subject)), heard(subject, 1)
    together = combined(strategy, test.members)
    alone = np.concatenate([combined(strategy, some(test.members, [row])) for row in range(TRACKS)])
    if np.abs(together - alone).max() > 1e-9:
        raise Problem(
            "the same answer for a track alone as among others",
            f"a difference of up to {np.abs(together - alone).max():.3g}",
            "normalise over one track's probabilities; learn what needs many tracks in fit",
        )


def check_nan_is_refused(subject: Subject) -> None:
    """NaN from a member is refused, not passed on."""
    if combines(subject) == "embeddings":
        raise NotApplicable("it combines embeddings")
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
    kept = [np.array(member) for member in data.members]
    combined(ready(subject, data), data.members)
    if not all(np.array_equal(a, b) for a, b in zip(kept, data.members, strict=True)):
        raise Problem("the members unchanged", "they changed", "p = p / s, not p /= s")


def check_same_twice(subject: Subject) -> None:
    """The same members give the same answer again, in a new object too."""
    data, test = heard(subject), heard(subject, 1)
    strategy = ready(subject, data)
    answers = [combined(s, test.members) for s in (strategy, strategy, ready(subject, data))]
    if any(not np.array_equal(answers[0], answer) for answer in answers[1:]):
        raise Problem(
            "the same answer again", "another one", "seed anything random with the given seed"
        )


def _pick(members: Any, order: Sequence[int]) -> Any:
    return [members[m] for m in order] if isinstance(members, list) else members[order]


def _same(subject: Subject, one: np.ndarray, other: np.ndarray, what: str, mend: str) -> None:
    """Fail unless decisions agree and, if the strategy learns nothing, probabilities too."""
    if not learns(subject):
        if np.abs(one - other).max() > 1e-9:
            got = f"probabilities differ by up to {np.abs(one - other).max():.3g}"
            raise Problem(f"the same answer with {what}", got, mend)
        return
    same = float((one.argmax(1) == other.argmax(1)).mean())
    if same < AGREEMENT:
        raise Problem(
            f"the same decisions with {what}", f"{1 - same:.0%} of the decisions differ", mend
        )


CHECKS = [
    check_methods,
    check_simplex,
    check_certain_members,
    check_helps,
    check_one_member,
    check_order_of_members,
    check_order_of_genres,
    check_track_by_track,
    check_nan_is_refused,
    check_input_is_left_alone,
    check_same_twice,
]
