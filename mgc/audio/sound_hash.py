"""The identity of the sound in a file: a hash of the encoded sound without tags.

It stays when a file is retagged, renamed or moved, and nothing is decoded for it. Where tags are:

- ID3v1, ID3v2, APE and Lyrics3 before and behind the sound of any file (mp3, ADTS, WavPack, …);
- the metadata blocks of FLAC but its first, STREAMINFO (RFC 9639);
- the second packet of Vorbis and Opus in Ogg, and the pages' numbers, which depend on its length;
- the chunks `_TAG_CHUNKS` of WAV and AIFF;
- ``udta`` and ``meta`` in the ``moov`` of MP4, whose size moves the positions of the sound
  (ISO/IEC 14496-12);
- the header objects `_ASF_TAGS` of WMA, and the identity, size and date of the file;
- the elements `_EBML_TAGS` of Matroska and WebM (RFC 9559): also what makers number anew whenever
  they write, and positions in the file;
- the annotation of AU.

All else counts as sound; so does a whole file that is not as its format says.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from mgc.audio.byte_ranges import Content, content
from mgc.audio.containers import chunks, flac, ogg
from mgc.audio.regular_file import require_regular
from mgc.audio.sound_length import EBML, before_tags, behind_id3
from mgc.errors import AudioError

#: Names the rule. Another one makes other hashes, so that nothing stored is found by them.
SCHEME = "sound-sha256-1"
#: Larger files are mapped instead of read. (A mapped file must not be cut meanwhile.)
READ_BYTES = 1 << 28

_TAG_CHUNKS = {b"id3 ", b"ID3 ", b"LIST", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"COMT", b"_PMX"}
_TAG_CHUNKS |= {b"JUNK", b"PAD ", b"FLLR", b"iXML"}
_TAG_BOXES = {b"udta", b"meta", b"free", b"skip"}
_NESTED_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_ASF_FILE = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le  # its properties
_ASF_DATA = UUID("75b22636-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_ASF_MORE = UUID("5fbf03b5-a92e-11cf-8ee3-00c00c205365").bytes_le  # more header objects
_ASF_TAGS = {
    UUID("75b22633-668e-11cf-a6d9-00aa0062ce6c").bytes_le,  # content description
    UUID("d2d0a440-e307-11d2-97f0-00a0c95ea850").bytes_le,  # the extended one
    UUID("c5f8cbea-5baf-4877-8467-aa8c44fa4cca").bytes_le,  # metadata
    UUID("44231c94-9498-49d1-a141-1d134e457054").bytes_le,  # metadata library
    UUID("1806d474-cadf-4509-a4ba-9aabcb96aae8").bytes_le,  # padding
}
_EBML_NESTED = {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1F43B675}  # Segment … Cluster
_EBML_TAGS = {0x114D9B74, 0x1C53BB6B, 0x1254C367, 0x1941A469, 0x1043A770}  # SeekHead … Chapters
_EBML_TAGS |= {0xBF, 0xEC, 0x7BA9, 0x4D80, 0x5741, 0x73A4, 0x7384, 0x4461}  # CRC-32 … DateUTC
_EBML_TAGS |= {0x73C5, 0x536E, 0x22B59C, 0x22B59D, 0xA7, 0xAB}  # TrackUID … PrevSize
_EBML_TAGS |= {0x4489}  # Duration, which makers round in their own ways
_GAPLESS = b"iTunSMPB"  # a tag that says how many samples are no sound


class _IrregularError(Exception):
    """The file is not as its format says."""


def sound_hash(path: Path) -> str:
    """SHA-256, in hex, of the encoded sound in a file. Raises AudioError if it cannot be read."""
    require_regular(path)
    digest = hashlib.sha256(SCHEME.encode())
    try:
        if path.stat().st_size <= READ_BYTES:
            _add(digest, path.read_bytes())
        else:
            with content(path) as whole:
                _add(digest, whole)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be read ({reason}).") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, whole: Content) -> None:
    try:
        pieces = list(_sound(whole))
    except (_IrregularError, struct.error, IndexError, RecursionError):
        pieces = [(0, len(whole))]
    with memoryview(whole) as view:
        for piece in pieces:
            if isinstance(piece, bytes):
                digest.update(piece)
                continue
            with view[slice(*piece)] as part:
                digest.update(part)


def _sound(whole: Content) -> Iterator[bytes | tuple[int, int]]:
    """The pieces that count."""
    end = before_tags(whole)
    start = min(behind_id3(whole), end)
    if whole[start : start + 8] in flac.MAGICS:
        frames = flac.first_frame(whole, start, end)
        if whole[frames : frames + 2] not in (b"\xff\xf8", b"\xff\xf9"):
            raise _IrregularError
        yield flac.MAGICS[0]
        yield start + 8, start + 42
        yield frames, end
    elif whole[start : start + 4] == ogg.MAGIC:
        yield from _ogg(whole, start, end)
    elif whole[:4] in (b"RIFF", b"FORM"):
        yield from _chunks(whole, "<I" if whole[:4] == b"RIFF" else ">I")
    elif whole[4:8] == b"ftyp":
        yield from _mp4(whole)
    elif whole[:16] == chunks.ASF:
        yield from _asf(whole, end)
    elif whole[:4] == EBML:
        yield from _matroska(whole, start, end)
    elif whole[:4] == chunks.AU:
        yield 8, 24
        yield struct.unpack_from(">I", whole, 4)[0], end
    else:
        yield start, end


def _ogg(whole: Content, start: int, end: int) -> Iterator[bytes | tuple[int, int]]:
    pages = ogg.pages(whole, start, end)
    packets, rest, before = list[bytes](), b"", None
    headers = 1
    for at, stop, body, flags, granule, serial in pages:
        if at != start or before not in (None, serial):
            raise _IrregularError  # something in between, or several streams
        start, before = stop, serial
        sizes = whole[at + 27 : body]
        if len(packets) == headers:
            yield struct.pack("<BqB", flags, granule, len(sizes))
            yield at + 27, stop
            continue
        for size in sizes:
            rest += whole[body : body + size]
            body += size
            if size < 255:
                packets.append(rest)
                rest = b""
        headers = _ogg_headers(packets[0]) if packets else 1
        if len(packets) > headers or (len(packets) == headers and rest):
            raise _IrregularError
        if len(packets) == headers:
            yield b"".join(packets[:1] + packets[2:])
    if start != end or len(packets) != headers:
        raise _IrregularError


def _ogg_headers(first: bytes) -> int:
    """How many packets of a stream in Ogg are headers, by its first one; the second is the tags."""
    if first[:5] == b"\x7fFLAC":
        return 1 + int.from_bytes(first[7:9], "big")
    return {b"\x01vorbis": 3, b"OpusHea": 2}.get(first[:7], 0)


def _chunks(whole: Content, size_form: str) -> Iterator[bytes | tuple[int, int]]:
    """WAV and AIFF: their chunks but tags, with their names and sizes."""
    if struct.unpack_from(size_form, whole, 4)[0] + 8 not in (len(whole), len(whole) - 1):
        raise _IrregularError
    yield whole[8:12]
    at = 12
    while at + 8 <= len(whole):
        name = whole[at : at + 4]
        stop = at + 8 + struct.unpack_from(size_form, whole, at + 4)[0]
        if stop > len(whole) or not name.isascii():
            raise _IrregularError
        if name not in _TAG_CHUNKS or whole[at + 8 : at + 12] == b"wavl":
            yield at, stop
        at = stop + (stop & 1)


def _mp4(whole: Content) -> Iterator[bytes | tuple[int, int]]:
    top = list(_boxes(whole, 0, len(whole)))
    sound = [(first, stop) for name, _, first, stop in top if name == b"mdat"]
    for name, at, first, stop in top:
        if name == b"moov":
            yield from _moov(whole, first, stop, sound)
            found = whole.find(_GAPLESS, first, stop)
            yield whole[found : min(found + 200, stop)] if found >= 0 else b""
        elif name not in (*_TAG_BOXES, b"ftyp"):
            yield name
            yield first if name == b"mdat" else at, stop


def _moov(
    whole: Content, start: int, end: int, sound: list[tuple[int, int]]
) -> Iterator[bytes | tuple[int, int]]:
    """The boxes in a box but tags; positions are taken from where the sound begins."""
    for name, at, first, stop in _boxes(whole, start, end):
        if name in _NESTED_BOXES:
            yield name
            yield from _moov(whole, first, stop, sound)
        elif name in (b"stco", b"co64"):
            form = ">I" if name == b"stco" else ">Q"
            data = whole[first + 8 : stop]
            places = [place for (place,) in struct.iter_unpack(form, data)]
            yield name + repr([_from_sound(place, sound) for place in places]).encode()
        elif name not in _TAG_BOXES:
            yield at, stop


def _from_sound(place: int, sound: list[tuple[int, int]]) -> tuple[int, int]:
    """(which chunk of sound, how far in it) a position is."""
    for number, (first, stop) in enumerate(sound):
        if first <= place < stop:
            return number, place - first
    raise _IrregularError


def _boxes(whole: Content, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, start, start of the content, end) of the boxes between two positions."""
    while at < end:
        size, name = struct.unpack_from(">I4s", whole, at)
        first = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", whole, at + 8)
            first = at + 16
        stop = at + size if size else end
        if not first <= stop <= end:
            raise _IrregularError
        yield name, at, first, stop
        at = stop


def _asf(whole: Content, end: int) -> Iterator[bytes | tuple[int, int]]:
    """The objects of the header but tags, and those behind it without the identity of the file."""
    header = struct.unpack_from("<Q", whole, 16)[0]
    yield from _asf_header(whole, 30, header)
    for name, at, stop in _asf_objects(whole, header, end):
        yield name
        yield (at + 40 if name == _ASF_DATA else at + 24), stop


def _asf_header(whole: Content, start: int, end: int) -> Iterator[bytes | tuple[int, int]]:
    for name, at, stop in _asf_objects(whole, start, end):
        if name == _ASF_MORE:
            yield from _asf_header(whole, at + 46, stop)
        elif name not in _ASF_TAGS:
            yield name
            yield (at + 56 if name == _ASF_FILE else at + 24), stop


def _asf_objects(whole: Content, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of the objects between two positions."""
    while at < end:
        stop = at + struct.unpack_from("<Q", whole, at + 16)[0]
        if not at + 24 <= stop <= end:
            raise _IrregularError
        yield whole[at : at + 16], at, stop
        at = stop


def _matroska(whole: Content, at: int, end: int) -> Iterator[bytes | tuple[int, int]]:
    """The elements between two positions but tags."""
    while at < end:
        name, behind, _ = _ebml_number(whole, at)
        size, first, largest = _ebml_number(whole, behind)
        size &= largest
        stop = first + size
        if size == largest or stop > end:  # of unknown size, or cut off
            raise _IrregularError
        if name in _EBML_NESTED:
            yield whole[at:behind]
            yield from _matroska(whole, first, stop)
        elif name not in _EBML_TAGS:
            yield at, stop
        at = stop


def _ebml_number(whole: Content, at: int) -> tuple[int, int, int]:
    """(with the bit that tells its length, end, the largest without that bit) of a number."""
    count = 9 - whole[at].bit_length()
    if count > 8:
        raise _IrregularError
    return int.from_bytes(whole[at : at + count], "big"), at + count, (1 << 7 * count) - 1
