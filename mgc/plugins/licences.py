"""What the licences of weights forbid."""

from __future__ import annotations

import re

NON_COMMERCIAL = re.compile(r"(?<![a-z])nc(?![a-z])|non-? ?commercial", re.IGNORECASE)


def with_limits(licence: str) -> str:
    """A licence's name, and what it forbids by it: ``CC BY-NC 4.0: no commercial use``."""
    return f"{licence}: no commercial use" if NON_COMMERCIAL.search(licence) else licence


def limits(name: str, licence: str) -> list[str]:
    """The line that is said of something whose weights nobody may use commercially, if so."""
    told = with_limits(licence)
    return [] if told == licence else [f"{name}: its weights are licensed {told}."]
