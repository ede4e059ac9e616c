"""What a request may ask for, in its query or as fields of its form: declared once, for the parser
and for the OpenAPI document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mgc_serve.problems import ProblemError

MAX_TEXT = 300  # characters of a name
WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Option:
    """One option: its kind, its bounds if it is a number, its default, and what it is for."""

    name: str
    kind: Literal["string", "boolean", "number", "integer"]
    about: str
    default: Any = None
    low: float = -math.inf
    high: float = math.inf

    def parsed(self, text: str) -> Any:
        """The value. Raises ProblemError if there is none such."""
        if self.kind == "string":
            if 0 < len(text) <= MAX_TEXT and text.isprintable():
                return text
            raise self._refused(text, f"1 to {MAX_TEXT} printable characters")
        if self.kind == "boolean":
            if (value := WORDS.get(text.lower())) is not None:
                return value
            raise self._refused(text, "true or false")
        try:
            number = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            number = math.nan
        if self.low <= number <= self.high and math.isfinite(number):
            return number
        raise self._refused(text, f"a number from {self.low:g} to {self.high:g}")

    def _refused(self, text: str, wanted: str) -> ProblemError:
        return ProblemError(400, "bad-request", f"{self.name}={text!r:.80} is not {wanted}.")


RUN = Option("run", "string", "The name of the run that answers; see /v1/runs.")
NAME = Option("name", "string", "The file's name, for a body that is the file itself.")
PREDICT = (
    RUN,
    NAME,
    Option("timeline", "boolean", "Also say which genre is heard when.", False),
    Option("window", "number", "Timeline: seconds that an answer is about.", None, 0.1, 600),
    Option("hop", "number", "Timeline: seconds between answers.", None, 0.1, 600),
    Option(
        "smooth",
        "number",
        "Timeline: ignore changes that are shorter than this, unless clear (s).",
        None,
        0.001,
        3600,
    ),
    Option(
        "coverage",
        "number",
        "Also give a set of genres that holds the true one this often.",
        None,
        0.01,
        0.999,
    ),
    Option(
        "unknown", "number", "Share of music that may be lost as unknown; 0: none.", 0.01, 0, 0.5
    ),
    Option("views", "boolean", "Also say what each member of an ensemble answers.", False),
    Option("waveform", "boolean", "Also give 800 pairs of lowest and highest sample.", False),
    Option("lenient", "boolean", "Answer 200 even if the only file cannot be used.", False),
)
SIMILAR = (
    RUN,
    NAME,
    Option("among", "string", "A dataset or run whose tracks are compared; default: the run's."),
    Option("count", "integer", "How many tracks.", 10, 1, 100),
    Option("same_artist", "boolean", "Also tracks of the same artist.", False),
)
EXPLAIN = (
    RUN,
    NAME,
    Option("genre", "string", "The genre to explain; default: the most likely."),
)


def parsed(known: Iterable[Option], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The value of each option. Raises ProblemError for one that is unknown or not possible."""
    options: Mapping[str, Option] = {option.name: option for option in known}
    found = {option.name: option.default for option in options.values()}
    for name, text in given:
        if name not in options:
            raise ProblemError(
                400,
                "bad-request",
                f"No option is named {name!r:.80}.",
                f"There are: {', '.join(options)}.",
            )
        found[name] = options[name].parsed(text)
    return found
