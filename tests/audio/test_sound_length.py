"""What is heard is what is there: containers × faults, against FFmpeg's own full decode."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc.audio import decoding
from mgc.audio.clip_policy import ClipPolicy
from mgc.datasets.quality.listening import listen
from mgc.errors import AudioError
from tests.audio.encoding import MAKERS, NEED_AV, RATE, SECONDS, encoded
from tests.sounds import music, write

av = pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")

RUBBISH = np.random.default_rng(0).bytes(3_000)
FRAME = 0.075  # seconds: 1,152 samples at 16 kHz, the longest frame here


def _cut(percent: int) -> Callable[[str, bytes], bytes]:
    return lambda name, whole: whole[: len(whole) * percent // 100]


def _middle(name: str, whole: bytes) -> bytes:
    half = len(whole) // 2
    return whole[:half] + RUBBISH + whole[half:]


def _overwritten(name: str, whole: bytes) -> bytes:
    half = len(whole) // 2
    return whole[:half] + RUBBISH + whole[half + len(RUBBISH) :]


FAULTS: dict[str, Callable[[str, bytes], bytes]] = {
    "whole": lambda name, whole: whole,
    **{f"cut at {percent} %": _cut(percent) for percent in (20, 40, 60, 80, 95)},
    "rubbish in front": lambda name, whole: RUBBISH + whole,
    "rubbish in the middle": _middle,
    "overwritten": _overwritten,
    "rubbish behind": lambda name, whole: whole + RUBBISH,
    "joined": lambda name, whole: whole + whole,
    "another rate": lambda name, whole: whole + encoded(name, rate=24_000, channels=2),
}
#: (container, fault) that nothing can read: the file is named, with the reason.
REFUSED = {("a.m4a", f"cut at {percent} %") for percent in (20, 40, 60, 80, 95)}
REFUSED |= {("a.m4a", "rubbish in the middle")}


def _seconds(content: bytes) -> float:
    """How long FFmpeg decodes, packets that do not decode left out; 0 if it cannot."""
    total = 0.0
    try:
        with av.open(io.BytesIO(content)) as file:
            for packet in file.demux(file.streams.audio[0]):
                try:
                    total += sum(frame.samples / frame.sample_rate for frame in packet.decode())
                except av.FFmpegError:
                    continue
    except av.FFmpegError:
        return total
    return total


def _fit_hears(path: Path) -> float:
    parts, rate = decoding.excerpts(path, ClipPolicy().starts, 30.0)
    return sum(map(len, parts)) / rate


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", MAKERS)
def test_all_that_is_there_is_heard_or_the_file_is_named(
    tmp_path: Path, name: str, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(FAULTS[fault](name, encoded(name)))
    heard = listen(path)
    if (name, fault) in REFUSED:
        assert "moov" in heard.problem
        with pytest.raises(AudioError, match="moov"):
            _fit_hears(path)
        return
    expected = _seconds(path.read_bytes())
    if expected == 0 and "cut" in fault:  # the headers alone are there
        assert "cut off" in heard.problem or "no samples" in heard.problem
        return
    assert heard.problem == ""
    assert _fit_hears(path) == pytest.approx(heard.seconds, abs=0.002)
    assert decoding.probe(path).seconds == pytest.approx(heard.seconds, abs=0.11) or heard.remark
    if not heard.remark:
        assert heard.seconds == pytest.approx(expected, abs=FRAME)
    # Where FFmpeg hears more, it takes a Xing header for sound, or plays on at another rate.
    if fault != "another rate":
        assert heard.seconds > expected - 0.2
    if fault in ("joined", "another rate"):
        assert heard.seconds == pytest.approx(2 * SECONDS, abs=0.25)
    if fault == "rubbish in front":
        assert heard.seconds == pytest.approx(SECONDS, abs=0.15)
    if fault == "whole":
        assert heard.remark == "" or name == "vbr_no_xing.mp3"


@pytest.mark.parametrize("name", [one for one in MAKERS if one not in NEED_AV])
@pytest.mark.parametrize("fault", ["whole", "cut at 60 %", "rubbish in front", "joined"])
def test_the_plain_install_hears_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(FAULTS[fault](name, encoded(name)))
    expected = listen(path)
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    assert listen(path).samples == expected.samples


def test_without_pyav_a_damaged_flac_says_where_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(_overwritten("a.flac", encoded("a.flac")))
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    with pytest.raises(AudioError, match=r"does not decode further than 1\.\d s") as caught:
        decoding.decode(path)
    assert "mgc-music[av]" in caught.value.hint


def _flac_total(whole: bytes, total: int) -> bytes:
    at = 4 + 4 + 13
    return whole[:at] + bytes([whole[at] & 0xF0]) + total.to_bytes(4, "big") + whole[at + 5 :]


def _at(whole: bytes, at: int, new: bytes) -> bytes:
    return whole[:at] + new + whole[at + len(new) :]


def _sized(marker: bytes, width: int, order: str, skip: int = 0) -> Callable[[bytes, float], bytes]:
    """Sets the size behind a chunk's name to a share of the right one; 0 stays 0."""

    def change(whole: bytes, share: float) -> bytes:
        at = whole.index(marker) + len(marker)
        size = int.from_bytes(whole[at : at + width], order)  # type: ignore[arg-type]
        return _at(whole, at, round(size * share).to_bytes(width, order))  # type: ignore[arg-type]

    return change


def _xing(whole: bytes, share: float) -> bytes:
    at = max(whole.find(b"Xing"), whole.find(b"Info")) + 8
    frames = int.from_bytes(whole[at : at + 4], "big")
    return _at(whole, at, round(frames * share).to_bytes(4, "big"))


CLAIMS: dict[str, Callable[[bytes, float], bytes]] = {
    "cbr.mp3": _xing,
    "vbr.mp3": _xing,
    "a.flac": lambda whole, share: _flac_total(whole, round(SECONDS * RATE * share)),
    "a.wav": _sized(b"data", 4, "little"),
    "a.aiff": _sized(b"SSND", 4, "big"),
    "a.caf": _sized(b"data", 8, "big"),
    "a.w64": _sized(b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 8, "little"),
    "a.au": _sized(b".snd\0\0\0\x18", 4, "big"),
}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.97, 1.5, 7.0])
@pytest.mark.parametrize("name", CLAIMS)
def test_a_wrong_claim_is_not_believed(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    right, _ = decoding.decode(write(tmp_path / "right.wav", music(SECONDS, RATE), RATE))
    path.write_bytes(CLAIMS[name](encoded(name), share))
    heard = listen(path)
    assert heard.seconds == pytest.approx(SECONDS, abs=FRAME)
    assert _fit_hears(path) == pytest.approx(heard.seconds, abs=0.002)
    assert "claims" in heard.remark or (name == "a.flac" and not share)
    if not name.endswith(".mp3"):
        np.testing.assert_allclose(decoding.decode(path)[0], right, atol=1e-4)


def test_an_unknown_size_is_no_wrong_claim(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for size in (0x7FFF_FFFF, 0xFFFF_FFFF):
        whole = encoded("a.wav")
        path.write_bytes(_at(whole, whole.index(b"data") + 4, size.to_bytes(4, "little")))
        heard = listen(path)
        assert (heard.seconds, heard.remark) == (SECONDS, "")


def test_the_remark_gives_claim_and_content(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(_xing(encoded("vbr.mp3"), 2.0))
    assert "the header claims 8." in listen(path).remark
    assert "4.1 s are there" in listen(path).remark
    path.write_bytes(_middle("", encoded("cbr_no_xing.mp3")))
    assert listen(path).remark.startswith("damaged 2.")


@pytest.mark.parametrize("tail", ["id3v1", "ape", "lyrics3"])
def test_tags_behind_an_mp3_are_no_sound(tmp_path: Path, tail: str) -> None:
    body = bytes(range(65, 91)) * 200
    lyrics = b"LYRICSBEGIN" + body
    tags = {
        "id3v1": b"TAG" + body[:125],
        "ape": body
        + b"APETAGEX"
        + (2_000).to_bytes(4, "little")
        + (len(body) + 32).to_bytes(4, "little")
        + bytes(16),
        "lyrics3": lyrics + b"%06dLYRICS200" % len(lyrics),
    }
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("cbr_no_xing.mp3"))
    expected = listen(path)
    path.write_bytes(encoded("cbr_no_xing.mp3") + tags[tail])
    heard = listen(path)
    assert (heard.problem, heard.remark) == ("", "")
    assert heard.seconds == pytest.approx(expected.seconds, abs=FRAME)


def test_parts_of_other_rates_and_channels_are_heard_at_their_time(tmp_path: Path) -> None:
    """The second part, resampled, is what it is alone."""
    path, alone = tmp_path / "a.wav", tmp_path / "alone.wav"
    path.write_bytes(encoded("a.wav") + encoded("a.wav", rate=24_000, channels=2))
    alone.write_bytes(encoded("a.wav", rate=24_000, channels=2))
    expected, _ = decoding.decode(alone, RATE)
    made, rate = decoding.decode(path, start=SECONDS, seconds=SECONDS)
    assert rate == RATE
    assert len(made) == pytest.approx(len(expected), abs=2)
    np.testing.assert_allclose(made[: len(expected)], expected[: len(made)], atol=1e-4)


@pytest.mark.parametrize("name", ["cbr_no_xing.mp3", "a.wav", "a.flac"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_song_in_an_archive_is_not_heard(tmp_path: Path, kind: str, name: str) -> None:
    """Stored as it is, a decoder finds it. A song with an archive behind it is heard."""
    song, path = tmp_path / name, tmp_path / f"two.{kind}"
    song.write_bytes(encoded(name))
    shutil.make_archive(str(tmp_path / "two"), kind, tmp_path, name)
    with pytest.raises(AudioError, match=f"two.{kind}: is a {kind} archive, not audio"):
        decoding.decode(path)
    assert listen(path).problem == f"is a {kind} archive, not audio. Unpack it first."
    song.write_bytes(encoded(name) + path.read_bytes())
    assert listen(song).problem == ""
    assert listen(song).seconds > SECONDS - FRAME
