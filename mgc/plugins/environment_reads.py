"""Notes which environment variables a module reads while it is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator

Environment = type(os.environ)


class ReadNames(Environment):  # type: ignore[valid-type,misc]
    """The environment, which writes down the names that are read: also if the process then ends.

    Copying all of it, as ``dict(os.environ)`` does, reads nothing in particular: behind the names
    stands a tab and their number, and `in_particular` takes them away again.
    """

    file = ""
    listed: tuple[str, ...] = ()
    read = 0  # how many of those listed have been read since, in their order

    def __iter__(self) -> Iterator[str]:
        ReadNames.listed, ReadNames.read = tuple(super().__iter__()), 0
        return iter(ReadNames.listed)

    def __getitem__(self, name: str) -> str:
        next_listed = ReadNames.listed[ReadNames.read : ReadNames.read + 1]
        ReadNames.read = ReadNames.read + 1 if next_listed == (name,) else len(ReadNames.listed) + 1
        line = f"{name}\n"
        if ReadNames.read == len(ReadNames.listed):
            line += f"\t{ReadNames.read}\n"
        with open(ReadNames.file, "a", encoding="utf-8", errors="replace") as file:
            file.write(line)
        value: str = super().__getitem__(name)
        return value

    def copy(self) -> dict[str, str]:
        """Copying reads nothing in particular."""
        return {name: super(ReadNames, self).__getitem__(name) for name in super().__iter__()}


def in_particular(text: str) -> list[str]:
    """The names that were read one by one, of what `ReadNames` has written."""
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            del names[-int(line) :]
        else:
            names.append(line)
    return sorted(set(names))
