"""Nothing in a folder is passed over in silence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.audio.audio_files import NOT_TAKEN, SUFFIXES, audio_files, collect, search, unit
from mgc.errors import AudioError, UsageError

RATE = 44_100
#: Suffix → libsndfile's format, or FFmpeg's container and codec.
BY_LIBSNDFILE = {
    ".wav": "WAV", ".wave": "WAV", ".bwf": "WAV", ".rf64": "RF64", ".w64": "W64", ".caf": "CAF",
    ".au": "AU", ".snd": "AU", ".aif": "AIFF", ".aifc": "AIFF", ".voc": "VOC", ".sph": "NIST",
    ".flac": "FLAC", ".oga": "OGG", ".mp3": "MP3", ".avr": "AVR", ".paf": "PAF",
    ".pvf": "PVF", ".svx": "SVX", ".sf": "IRCAM",
}  # fmt: skip
BY_FFMPEG = {
    ".wv": ("wv", "wavpack"), ".tta": ("tta", "tta"), ".mp2": ("mp2", "mp2"),
    ".ac3": ("ac3", "ac3"), ".eac3": ("eac3", "eac3"), ".m4a": ("ipod", "aac"),
    ".m4b": ("ipod", "aac"), ".aac": ("adts", "aac"), ".mka": ("matroska", "aac"),
    ".webm": ("webm", "libopus"), ".wma": ("asf", "wmav2"), ".3gp": ("3gp", "aac"),
}  # fmt: skip


def tone(rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(np.arange(rate) * 0.05)).astype(np.float32)


def encode(path: Path, container: str, codec: str) -> None:
    """One second of a tone by PyAV."""
    av = pytest.importorskip("av")
    rate = 48_000 if codec == "libopus" else RATE
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = "mono", 96_000
        frame = av.AudioFrame.from_ndarray(tone(rate)[None], format="flt", layout="mono")
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 4096
        made = av.AudioResampler(stream.codec_context.format, "mono", rate, size)
        for part in [*made.resample(frame), *made.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", [*BY_LIBSNDFILE, *BY_FFMPEG])
def test_what_decodes_is_looked_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix.upper()}"
    if suffix in BY_LIBSNDFILE:
        soundfile.write(path, tone(), RATE, format=BY_LIBSNDFILE[suffix])
    else:
        encode(path, *BY_FFMPEG[suffix])
    assert collect([tmp_path]) == [path]
    wave, rate = decoding.decode(path)
    assert len(wave) / rate == pytest.approx(1.0, abs=0.1)


def test_what_looks_like_audio_is_counted(tmp_path: Path) -> None:
    assert not NOT_TAKEN & SUFFIXES
    for suffix in NOT_TAKEN:
        (tmp_path / f"a{suffix.upper()}").write_bytes(b"x")
    for other in ("cover.jpg", "notes.txt", "list.m3u", ".hidden.mid", "README"):
        (tmp_path / other).write_bytes(b"x")
    found = search(tmp_path)
    assert found.files == []
    assert found.not_taken == dict.fromkeys(NOT_TAKEN, 1)
    ((what, count),) = found.left_out().items()
    assert what.startswith("not taken for audio: .aa, .aax, .avi")
    assert (count, unit(what)) == (len(NOT_TAKEN), "file")


@pytest.fixture(params=["EACCES", "EPERM", "EIO", "ESTALE", "ENOTCONN", "ETIMEDOUT", "ENOENT",
                        "EHOSTDOWN"])  # fmt: skip
def reason(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """music/rock cannot be listed, for one of eight reasons; music/jazz can."""
    for genre in ("rock", "jazz"):
        (tmp_path / "music" / genre).mkdir(parents=True)
        soundfile.write(tmp_path / "music" / genre / "a.wav", tone(), RATE)
    number, scandir = getattr(errno, request.param), os.scandir

    def refuse(path: str = ".") -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "rock":
            raise OSError(number, os.strerror(number), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return os.strerror(number)


def test_folders_that_cannot_be_read_are_named(tmp_path: Path, reason: str) -> None:
    music = tmp_path / "music"
    found = search(music)
    assert found.files == [music / "jazz" / "a.wav"]
    assert found.unread() == [f"{music / 'rock'} cannot be read ({reason})"]
    assert found.left_out() == {"folder that cannot be read": 1}
    assert search(music / "rock").unread() == found.unread()


def test_prediction_reports_them_among_the_files(tmp_path: Path, reason: str) -> None:
    files = collect([tmp_path / "music"])
    assert files == [tmp_path / "music" / "rock", tmp_path / "music" / "jazz" / "a.wav"]
    with pytest.raises(AudioError, match="cannot be read") as caught:
        decoding.content_hash(files[0])
    assert f"rock: cannot be read ({reason})" in caught.value.message


def test_a_link_to_a_disk_that_is_not_there_is_named(tmp_path: Path) -> None:
    os.symlink("/nowhere/at/all", tmp_path / "rock")
    assert search(tmp_path).unread() == [
        f"{tmp_path / 'rock'} cannot be read (No such file or directory)"
    ]


def test_paths_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        collect([tmp_path / "nothing"])
    with pytest.raises(UsageError, match="There is no audio"):
        collect([tmp_path])
    assert audio_files(tmp_path) == []


def test_system_folders_are_searched_only_if_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system"
    system.mkdir()
    (system / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    monkeypatch.setattr("mgc.audio.audio_files.SYSTEM", (str(system.resolve()),))
    assert audio_files(tmp_path) == [tmp_path / "b.wav"]
    assert audio_files(system) == [system / "a.wav"]
