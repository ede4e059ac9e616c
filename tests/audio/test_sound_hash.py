"""A file keeps the hash of its sound when it is tagged, and gets another with any other sound."""

from __future__ import annotations

import hashlib
import random
import struct
from contextlib import suppress
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from mutagen import aiff, apev2, asf, flac, id3, mp4, oggflac, oggopus, oggvorbis, wave

from mgc.audio import decoding
from mgc.audio.containers import mp4_samples
from mgc.audio.sound_hash import sound_hash
from mgc.errors import AudioError, MgcError
from tests.audio.encoding import MAKERS as ALL_MAKERS
from tests.audio.encoding import by_av, by_soundfile

#: Without a Xing header, the decoder's delay is heard, with the one that a copy gets it is not; the
#: others stay as they are.
COPIED = ALL_MAKERS.keys() - {"cbr_no_xing.mp3", "vbr_no_xing.mp3", "a.aac", "a.mp2", "a.w64"}
LONG = "a title " * 20_000  # several pages of Ogg
MAKERS = ALL_MAKERS | {
    "parts.m4a": by_av("mp4", "aac", movflags="frag_keyframe+empty_moov"),
    "a.avi": by_av("avi", "mp3"),
    "a.svx": by_soundfile("SVX", "PCM_16"),
}
COVER = random.Random(0).randbytes(300_000)


def _id3(path: Path) -> None:
    tags = id3.ID3()
    tags.add(id3.TIT2(text=LONG))
    tags.add(id3.APIC(mime="image/jpeg", data=COVER))
    tags.save(path, v1=2)


def _id3_v23(path: Path) -> None:
    tags = id3.ID3()
    tags.add(id3.TCON(text="Rock"))
    tags.save(path, v2_version=3)


def _ape(path: Path) -> None:
    tags = apev2.APEv2()
    tags["Title"] = "a title"
    tags.save(path)


def _chunk(kind: type[mutagen.FileType]):  # type: ignore[no-untyped-def]
    def tag(path: Path) -> None:
        file = kind(path)
        file.add_tags()
        file.tags.add(id3.TIT2(text="odd"))
        file.save()

    return tag


def _comment(kind: type[mutagen.FileType]):  # type: ignore[no-untyped-def]
    def tag(path: Path) -> None:
        file = kind(path)
        file["title"] = LONG
        file["genre"] = ["Rock", "Pop"]
        file.save()

    return tag


def _flac(path: Path) -> None:
    file = flac.FLAC(path)
    picture = flac.Picture()
    picture.data = COVER
    file.add_picture(picture)
    file["title"] = "a title"
    file.save(padding=lambda info: 12_345)


def _mp4(path: Path) -> None:
    file = mp4.MP4(path)
    file["\xa9nam"] = "a title"
    file["covr"] = [mp4.MP4Cover(COVER)]
    file.save()


def _matroska(path: Path) -> None:
    """As mkvpropedit does it: tags and a cover behind all else in the segment; and the length in
    milliseconds rounded otherwise, as FFmpeg does it when it copies."""
    whole = path.read_bytes()
    place = whole.index(b"\x44\x89\x88") + 3
    (length,) = struct.unpack_from(">d", whole, place)
    whole = whole[:place] + struct.pack(">d", length + 1) + whole[place + 8 :]
    at = whole.index(b"\x18\x53\x80\x67\x01") + 5  # the segment, and 7 bytes of its size
    more = b"".join(
        name + (1 << 56 | len(data)).to_bytes(8, "big") + data
        for name, data in ((b"\x12\x54\xc3\x67", LONG.encode()), (b"\x19\x41\xa4\x69", COVER))
    )
    size = int.from_bytes(whole[at : at + 7], "big") + len(more)
    path.write_bytes(whole[:at] + size.to_bytes(7, "big") + whole[at + 7 :] + more)


def _au(path: Path) -> None:
    """A longer annotation."""
    whole = path.read_bytes()
    first = int.from_bytes(whole[4:8], "big")
    note = whole[24:first] + b"a title".ljust(4_096, b"\0")
    path.write_bytes(
        whole[:4] + (24 + len(note)).to_bytes(4, "big") + whole[8:24] + note + whole[first:]
    )


def _copied(path: Path) -> None:
    """As FFmpeg writes a file anew with ``-c copy``: other pages, clusters, boxes and headers."""
    made = path.with_name(f"new-{path.name}")
    form = "mp4" if path.suffix == ".m4a" else None
    with av.open(str(path)) as old, av.open(str(made), "w", format=form) as new:
        new.metadata["title"] = "a title"
        stream = new.add_stream_from_template(old.streams.audio[0])
        for packet in old.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    made.replace(path)


def _dates(path: Path) -> None:
    """As ExifTool sets the dates of an MP4."""
    whole = bytearray(path.read_bytes())
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = whole.index(box) + 8
        whole[at : at + 8] = struct.pack(">II", 3_660_681_600, 3_692_217_600)
    path.write_bytes(whole)


def _index_first(path: Path) -> None:
    """As AtomicParsley moves the index of an MP4 in front of the sound."""
    whole = path.read_bytes()
    boxes = {name: whole[at - 8 : to] for name, at, to in mp4_samples.boxes(whole, 0, len(whole))}
    index = bytearray(boxes.pop(b"moov"))
    at = index.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", index, at)
    places = struct.unpack_from(f">{count}I", index, at + 4)
    struct.pack_into(f">{count}I", index, at + 4, *(place + len(index) for place in places))
    path.write_bytes(boxes.pop(b"ftyp") + index + b"".join(boxes.values()))


CASES = [
    *(
        (name, tag)
        for name in ("cbr.mp3", "vbr.mp3", "vbr_no_xing.mp3")
        for tag in (_id3, _id3_v23, _ape)
    ),
    ("a.aac", _ape),
    ("a.mp2", _id3),
    ("a.flac", _flac),
    ("a.ogg", _comment(oggvorbis.OggVorbis)),
    ("a.opus", _comment(oggopus.OggOpus)),
    ("flac.ogg", _comment(oggflac.OggFLAC)),
    ("a.m4a", _mp4),
    ("fast.m4a", _mp4),
    ("a.wav", _chunk(wave.WAVE)),
    ("a.aiff", _chunk(aiff.AIFF)),
    ("a.wma", _comment(asf.ASF)),
    ("a.mka", _matroska),
    ("a.webm", _matroska),
    ("a.au", _au),
    ("parts.m4a", _mp4),
    ("a.m4a", _dates),
    ("a.m4a", _index_first),
    *((name, _copied) for name in sorted(COPIED)),
]


@pytest.mark.parametrize(("name", "tag"), CASES)
def test_tags_do_not_count(tmp_path: Path, name: str, tag) -> None:  # type: ignore[no-untyped-def]
    plain, tagged = tmp_path / f"plain-{name}", tmp_path / f"tagged-{name}"
    for path in (plain, tagged):
        path.write_bytes(MAKERS[name](48_000, 1, 2.0))
    tag(tagged)
    assert plain.read_bytes() != tagged.read_bytes()
    assert sound_hash(plain) == sound_hash(tagged)
    one, other = (decoding.decode(path)[0] for path in (plain, tagged))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_other_sound_counts(tmp_path: Path, name: str) -> None:
    """A byte changed anywhere in the middle of the file, where no tags are."""
    path = tmp_path / name
    whole = MAKERS[name](24_000, 1, 2.0)
    path.write_bytes(whole)
    found = {sound_hash(path)}
    places = random.Random(name).sample(range(len(whole) // 2, len(whole) * 3 // 4), 20)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found.add(sound_hash(path))
    assert len(found) == 21
    path.write_bytes(whole[: len(whole) // 2])  # cut
    assert sound_hash(path) not in found


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_damaged_file_has_a_hash(tmp_path: Path, name: str) -> None:
    """Whatever is cut or overwritten: a hash, and the same one again."""
    whole = MAKERS[name](24_000, 1, 0.5)
    rng = random.Random(name)
    path = tmp_path / name
    for _ in range(20):
        start = rng.randrange(len(whole))
        damaged = whole[:start] + rng.randbytes(rng.randrange(40)) + whole[start + 7 :]
        path.write_bytes(damaged[: rng.randrange(1, len(damaged))])
        assert sound_hash(path) == sound_hash(path)
        assert len(sound_hash(path)) == 64


@pytest.mark.parametrize(
    "name", ["cbr.mp3", "a.m4a", "a.mka", "a.webm", "a.opus", "a.wav", "a.caf"]
)
def test_damage_to_what_surrounds_the_sound_is_harmless_or_counts(
    tmp_path: Path, name: str
) -> None:
    """Bits flipped in headers and tables: with the same hash, the same samples, or none at all."""
    path, rng = tmp_path / name, random.Random(name)
    whole = MAKERS[name](24_000, 1, 0.5)
    path.write_bytes(whole)
    before, [sound, rate] = sound_hash(path), decoding.decode(path)
    for _ in range(150):
        damaged = bytearray(whole)
        place = rng.choice([rng.randrange(600), len(whole) - 1 - rng.randrange(1_200)])
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        if sound_hash(path) != before:
            continue
        with suppress(MgcError):
            heard, rate_heard = decoding.decode(path)
            assert rate_heard == rate
            np.testing.assert_array_equal(heard, sound, f"the byte at {place}")


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_endlessly_nested_boxes_are_hashed_whole(tmp_path: Path, kind: str) -> None:
    whole, path = b"", tmp_path / "x"
    for _ in range(5_000):
        size = len(whole)
        mp4_box, element = struct.pack(">I4s", size + 8, b"moov"), struct.pack(">BQ", 0xAE, size)
        whole = (mp4_box if kind == "mp4" else element.replace(b"\xae\0", b"\xae\x01")) + whole
    whole = {"mp4": b"\0\0\0\x0cftypM4A ", "matroska": b"\x1aE\xdf\xa3\x80"}[kind] + whole
    path.write_bytes(whole)
    assert sound_hash(path) == hashlib.sha256(b"sound-sha256-2" + whole).hexdigest()


def test_something_else_is_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"no sound at all")
    assert sound_hash(path) == hashlib.sha256(b"sound-sha256-2no sound at all").hexdigest()
    with pytest.raises(AudioError, match="cannot be read"):
        sound_hash(tmp_path / "missing")
