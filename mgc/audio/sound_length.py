"""What sound is in a file, and how long it is: one rule for all who ask.

A header's claim is not trusted alone. What is there is counted where claim and content can differ:
frames of MPEG audio, granule positions of Ogg, the last frame of FLAC, bytes of PCM. Other
containers are counted by `mgc.audio.ffmpeg`, from the times of their packets. A sound file is
read as it is; of another one, the parts that hold sound are read as if they were files of their
own, and a remark says what is wrong.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from mgc.audio.byte_ranges import Content, content
from mgc.audio.containers import archives, chunks, flac, mpeg, ogg
from mgc.audio.containers.contents import Contents, SoundPart, ends_remark, joined
from mgc.audio.given import AudioBytes
from mgc.errors import AudioError

#: Increase it if the rule gives another length, or other samples, for some files: features and
#: verdicts of those files are then made again.
HEARING_REVISION = 4

EBML = b"\x1aE\xdf\xa3"
#: How files begin; searched behind something else.
_MAGICS = (
    *flac.MAGICS,
    b"OggS\0\2",
    b"RIFF",
    b"FORM",
    chunks.CAF,
    chunks.AU,
    chunks.W64,
    chunks.ASF,
    EBML,
)


def contents(path: Path | AudioBytes) -> Contents:
    """What is in a file. Raises OSError if it cannot be read, AudioError if it is an archive."""
    with suppress(struct.error), content(path) as whole:  # struct.error: cut off in a header
        if archive := archives.kind(whole):
            raise AudioError(f"{path}: is a {archive} archive, not audio.", "Unpack it first.")
        end = before_tags(whole)
        start = min(behind_id3(whole), end)
        return (
            _known(whole, 0, end)
            or _known(whole, start, end)
            or mpeg.contents(whole, start, end)
            or _known(whole, _magic(whole, start, end), end)
            or Contents()
        )
    return Contents()


def _known(whole: Content, at: int, end: int) -> Contents | None:
    """What is in a file whose container is known by how it begins; None if it is not."""
    begin = whole[at : at + 8]
    if begin in flac.MAGICS:
        return flac.contents(whole, at, end)
    if begin[:4] == ogg.MAGIC:
        return ogg.contents(whole, at, end)
    if chunks.is_file(whole, at):
        return chunks.contents(whole, at, end)
    if begin[:4] == EBML:
        return _matroska(whole, at, end)
    return None


def _matroska(whole: Content, at: int, end: int) -> Contents:
    starts, found = [at], at
    while (found := whole.find(EBML, found + 1, end)) > 0:
        head = whole[found : found + 64]
        if b"webm" in head or b"matroska" in head:
            starts.append(found)
    parts = [SoundPart((both,)) for both in pairwise([*starts, end])]
    return joined(parts, not at, [ends_remark(at, 0)])


def _magic(whole: Content, start: int, end: int) -> int:
    """Where a file begins behind something else; ``start`` if nowhere."""
    end = min(end, start + mpeg.SEARCHED)
    found = [whole.find(magic, start, end) for magic in _MAGICS]
    found += [whole.find(b"ftyp", start + 4, end) - 4]
    return min((at for at in found if at >= 0), default=start)


def behind_id3(whole: Content) -> int:
    """The end of the ID3v2 tags in front; their sizes have seven bits a byte."""
    at = 0
    while whole[at : at + 3] == b"ID3" and len(whole) >= at + 10:
        size = 0
        for byte in whole[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if whole[at + 5] & 0x10 else 0)
    return at if at < len(whole) else 0


def before_tags(whole: Content) -> int:
    """The start of the ID3v1, APE and Lyrics3 tags behind."""
    end = len(whole)
    while 0 < (size := _tag_behind(whole, end)) <= end:
        end -= size
    return end


def _tag_behind(whole: Content, end: int) -> int:
    """The size of the tag that ends here; 0 if there is none."""
    tail = whole[max(0, end - 128) : end]
    if tail[:3] == b"TAG" and len(tail) == 128:
        return 128
    if tail[-32:-24] == b"APETAGEX":
        size, flags = struct.unpack_from("<I4xI", tail, len(tail) - 20)
        return int(size) + (32 if flags >> 31 else 0)
    if tail.endswith(b"LYRICS200") and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    return 0
