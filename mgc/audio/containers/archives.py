"""Archives: a decoder would find the songs in one as if it were a song itself."""

from __future__ import annotations

from mgc.audio.byte_ranges import Content

#: Where the name of a format stands, and what it is.
_MAGICS = {
    "zip": (0, b"PK\x03\x04"),
    "7z": (0, b"7z\xbc\xaf\x27\x1c"),
    "rar": (0, b"Rar!\x1a\x07"),
    "tar": (257, b"ustar"),
}


def kind(whole: Content) -> str:
    """Which archive a file is; "" if it is none."""
    found = (name for name, (at, magic) in _MAGICS.items() if whole[at : at + len(magic)] == magic)
    return next(found, "")
