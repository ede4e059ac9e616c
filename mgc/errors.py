"""The errors that mgc shows to people: what went wrong, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(number: int, noun: str) -> str:
    """``1 track``, ``1,024 tracks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_words(error: BaseException) -> str:
    """``ValueError: odd``, or the type alone if the error says nothing."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class MgcError(Exception):
    """Something failed that the user can understand and act on.

    ``message`` says in one line what went wrong, naming the file or thing; ``hint`` says what to
    do next. The command line prints both and exits with ``exit_code``.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[MgcError], tuple[str, str]]:
        # An error that crosses from a worker process keeps its hint.
        return type(self), (self.message, self.hint)


class UsageError(MgcError):
    """The request itself was wrong: a name, an option or a combination (exit code 2)."""

    exit_code = 2


class AudioError(MgcError):
    """One audio file cannot be used; a batch lists it with the reason and continues."""

    @property
    def reason(self) -> str:
        """What went wrong, and what to do about it, in one line."""
        return f"{self.message} {self.hint}".rstrip()


def unknown(
    kind: str, name: str, known: Iterable[str], command: str, cutoff: float = 0.6
) -> UsageError:
    """The error for an unknown name: what was asked for, the nearest names, what to run."""
    known = sorted(known)
    folded = {each.casefold(): each for each in reversed(known)}
    near = [folded[n] for n in get_close_matches(name.casefold(), folded, cutoff=cutoff)]
    if near:
        hint = f"Did you mean {' or '.join(repr(n) for n in near)}? "
    else:
        hint = f"Available: {', '.join(known)}. " if 0 < len(known) <= 12 else ""
    return UsageError(f"No {kind} is named {name!r}.", f"{hint}Run: {command}")
