"""The identity of the sound in a file: a hash of the encoded sound without tags.

It stays when a file is retagged, renamed, moved or copied into a new file of the same format, and
nothing is decoded for it. It is made of what a decoder is given:

- mp3, ADTS, WavPack and all else that is not named here: everything between ID3v1, ID3v2, APE and
  Lyrics3; of a Xing header only how many frames there are, and LAME's delay and padding;
- FLAC: the first metadata block, STREAMINFO (RFC 9639), and the frames;
- Ogg: packets, without the second one, which holds the tags of Vorbis, Opus and Speex, and where
  the last one ends;
- WAV, AIFF and CAF: the chunks `_SOUND_CHUNKS`;
- MP4 and Matroska: see `mgc.audio.containers.mp4_samples` and `matroska_frames`;
- WMA: all but the header objects `_ASF_TAGS`, and of the file its identity, size, date and length;
- AU: all but the annotation.

A file that is not as its format says counts whole.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from mgc.audio.byte_ranges import Content, Piece, content
from mgc.audio.containers import chunks, flac, matroska_frames, mp4_samples, mpeg, ogg
from mgc.audio.containers.contents import IrregularError
from mgc.audio.regular_file import require_regular
from mgc.audio.sound_length import EBML, before_tags, behind_id3
from mgc.errors import AudioError

#: Names the rule. Another one makes other hashes, so that nothing stored is found by them.
SCHEME = "sound-sha256-2"
#: The rule before it, as far as it is still known: not of Ogg, MP4, Matroska and WMA.
FORMER_SCHEME = "sound-sha256-1"
#: Larger files are mapped instead of read. (A mapped file must not be cut meanwhile.)
READ_BYTES = 1 << 28

_CHUNKED = {b"WAVE", b"AIFF", b"AIFC"}
_SOUND_CHUNKS = {b"fmt ", b"fact", b"data", b"LIST", b"COMM", b"FVER", b"SSND"}  # WAV, AIFF
_SOUND_CHUNKS |= {b"desc", b"kuki", b"pakt"}  # CAF, beside its data
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


def sound_hash(path: Path, scheme: str = SCHEME) -> str:
    """SHA-256, in hex, of the encoded sound in a file. Raises AudioError if it cannot be read."""
    require_regular(path)
    digest = hashlib.sha256(scheme.encode())
    try:
        if path.stat().st_size <= READ_BYTES:
            _add(digest, path.read_bytes(), scheme)
        else:
            with content(path) as whole:
                _add(digest, whole, scheme)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be read ({reason}).") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, whole: Content, scheme: str) -> None:
    try:
        pieces = list(_sound(whole, scheme))
    except (IrregularError, struct.error, IndexError, RecursionError):
        pieces = [(0, len(whole))]
    with memoryview(whole) as view:
        for piece in pieces:
            if isinstance(piece, bytes):
                digest.update(piece)
                continue
            with view[slice(*piece)] as part:
                digest.update(part)


def _sound(whole: Content, scheme: str) -> Iterator[Piece]:
    """The pieces that count."""
    end = before_tags(whole)
    start = min(behind_id3(whole), end)
    if whole[start : start + 8] in flac.MAGICS:
        frames = flac.first_frame(whole, start, end)
        if whole[frames : frames + 2] not in (b"\xff\xf8", b"\xff\xf9"):
            raise IrregularError
        yield flac.MAGICS[0]
        yield start + 8, start + 42
        yield frames, end
    elif whole[start : start + 4] == ogg.MAGIC:
        yield from _ogg(whole, start, end)
    elif whole[:4] in (b"RIFF", b"FORM"):
        yield from _chunks(whole, "<I" if whole[:4] == b"RIFF" else ">I")
    elif whole[4:8] == b"ftyp":
        yield from mp4_samples.sound(whole)
    elif whole[:6] == chunks.CAF:
        yield from _caf(whole)
    elif whole[:16] == chunks.ASF:
        yield from _asf(whole, end)
    elif whole[:4] == EBML:
        yield from matroska_frames.sound(whole, start, end)
    elif whole[:4] == chunks.AU:
        yield 8, 24
        yield struct.unpack_from(">I", whole, 4)[0], end
    elif scheme == SCHEME:
        yield from _mpeg(whole, start, end)
    else:
        yield start, end


def _mpeg(whole: Content, start: int, end: int) -> Iterator[Piece]:
    """MPEG frames, and what a Xing header says of where the sound begins and ends."""
    first = mpeg.frame_at(whole, start) if start + 4 <= end else None
    if first and start + first.size <= end and mpeg.is_xing(whole, start, first):
        xing = whole[start : start + first.size]
        claim, at = mpeg.xing_claim(xing, first), mpeg.delay_at(xing, first)
        if claim and at and not any(xing[4 : first.tag]):  # else a decoder takes it for sound
            yield struct.pack(">I", claim[0]) + xing[at : at + 3]
            start += first.size
    yield start, end


def _ogg(whole: Content, start: int, end: int) -> Iterator[Piece]:
    """The packets, however they are divided into pages, and where the last one ends."""
    packets, rest, before = list[bytes](), b"", None
    sizes, last, headers = list[bytes](), (0, 0), 1
    for at, stop, body, flags, granule, serial in ogg.pages(whole, start, end):
        if at != start or before not in (None, serial) or not ogg.is_intact(whole, at, stop):
            raise IrregularError  # something in between, several streams, or damage
        start, before = stop, serial
        if len(packets) == headers:
            sizes.append(whole[at + 27 : body])
            last = (granule if granule != -1 else last[0], flags & ogg.ENDS)
            yield body, stop
            continue
        for size in whole[at + 27 : body]:
            rest += whole[body : body + size]
            body += size
            if size < 255:
                packets.append(rest)
                rest = b""
        headers = _ogg_headers(packets[0]) if packets else 1
        if len(packets) > headers or (len(packets) == headers and rest):
            raise IrregularError
        if len(packets) == headers:
            yield b"".join(packets[:1] + packets[2:])
    if start != end or len(packets) != headers:
        raise IrregularError
    lengths = b"".join(sizes)
    if lengths[-1:] == b"\0" and lengths[-2:-1] != b"\xff":  # an empty packet ends the stream
        lengths = lengths[:-1]
    yield lengths + struct.pack("<qB", *last)


def _ogg_headers(first: bytes) -> int:
    """How many packets of a stream in Ogg are headers, by its first one; the second is the tags."""
    if first[:5] == b"\x7fFLAC":
        return 1 + int.from_bytes(first[7:9], "big")
    return {b"\x01vorbis": 3, b"OpusHea": 2, b"Speex  ": 2}.get(first[:7], 0)


def _chunks(whole: Content, size_form: str) -> Iterator[Piece]:
    """WAV and AIFF: their chunks of sound, with their names and sizes."""
    stated = struct.unpack_from(size_form, whole, 4)[0] + 8
    if stated not in (len(whole), len(whole) - 1) or whole[8:12] not in _CHUNKED:
        raise IrregularError  # or of another kind, such as AVI and 8SVX, whose sound is elsewhere
    yield whole[8:12]
    at = 12
    while at + 8 <= len(whole):
        name = whole[at : at + 4]
        stop = at + 8 + struct.unpack_from(size_form, whole, at + 4)[0]
        if stop > len(whole) or not name.isascii():
            raise IrregularError
        if name in _SOUND_CHUNKS and (name != b"LIST" or whole[at + 8 : at + 12] == b"wavl"):
            yield at, stop
        at = stop + (stop & 1)


def _caf(whole: Content) -> Iterator[Piece]:
    """Its chunks of sound; the data has a number of edits in front."""
    at = 8
    while at + 12 <= len(whole):
        name, size = struct.unpack_from(">4sq", whole, at)
        first, at = at + 12, at + 12 + size if size >= 0 else len(whole)
        if at > len(whole):
            raise IrregularError
        if name in _SOUND_CHUNKS:
            yield name + (at - first).to_bytes(8, "big")
            yield first + 4 * (name == b"data"), at


def _asf(whole: Content, end: int) -> Iterator[Piece]:
    """The objects of the header but tags, and those behind it without the identity of the file."""
    header = struct.unpack_from("<Q", whole, 16)[0]
    yield from _asf_header(whole, 30, header)
    for name, at, stop in _asf_objects(whole, header, end):
        yield name
        yield (at + 40 if name == _ASF_DATA else at + 24), stop


def _asf_header(whole: Content, start: int, end: int) -> Iterator[Piece]:
    for name, at, stop in _asf_objects(whole, start, end):
        if name == _ASF_MORE:
            yield from _asf_header(whole, at + 46, stop)
        elif name not in _ASF_TAGS:
            yield name
            if name == _ASF_FILE:  # without identity, size, date and length in time
                yield at + 56, at + 64
            yield (at + 80 if name == _ASF_FILE else at + 24), stop


def _asf_objects(whole: Content, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of the objects between two positions."""
    while at < end:
        stop = at + struct.unpack_from("<Q", whole, at + 16)[0]
        if not at + 24 <= stop <= end:
            raise IrregularError
        yield whole[at : at + 16], at, stop
        at = stop
