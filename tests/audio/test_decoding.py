"""Decoding: numbers against librosa, every format, segments, and every way to fail."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.datasets.quality.listening import listen
from mgc.errors import AudioError
from tests.sounds import FORMATS, music, write


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_decodes_to_the_same_sound(tmp_path: Path, suffix: str) -> None:
    rate = 48_000 if suffix == ".opus" else 44_100
    wave = music(1.0, rate, channels=2)
    path = write(tmp_path / f"a{suffix}", wave, rate)
    found = decoding.probe(path)
    assert (found.sample_rate, found.channels) == (rate, 2)
    made, made_rate = decoding.decode(path)
    assert made_rate == rate
    assert made.dtype == np.float32
    assert abs(len(made) - len(wave)) <= 2_400  # lossy codecs may pad a frame
    length = min(len(made), len(wave))
    assert np.abs(made[:length] - wave[:length].mean(axis=1)).max() < FORMATS[suffix][2]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 22_050), (48_000, 22_050), (44_100, 16_000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_decoding_equals_librosa_to_the_bit(
    tmp_path: Path, suffix: str, rate: int, wanted: int, channels: int
) -> None:
    path = write(tmp_path / f"a{suffix}", music(1.37, rate, channels=channels), rate)
    made, _ = decoding.decode(path, wanted)
    expected, _ = librosa.load(path, sr=wanted)
    np.testing.assert_array_equal(made, expected)


def test_more_channels_are_averaged(tmp_path: Path) -> None:
    wave = music(0.5, channels=6)
    path = write(tmp_path / "a.wav", wave)
    made, _ = decoding.decode(path)
    np.testing.assert_allclose(made, wave.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("start", [0.0, 0.4, 1.7])
def test_a_segment_is_a_piece_of_the_whole(tmp_path: Path, suffix: str, start: float) -> None:
    path = write(tmp_path / f"a{suffix}", music(3.0, 44_100, channels=2), 44_100)
    whole, rate = decoding.decode(path)
    piece, _ = decoding.decode(path, start=start, seconds=0.5)
    first = round(start * rate)
    assert len(piece) == round(0.5 * rate)
    np.testing.assert_allclose(piece, whole[first : first + len(piece)], atol=1e-6)


def test_a_segment_stops_at_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    assert len(decoding.decode(path, start=0.75, seconds=9.0)[0]) == pytest.approx(
        22_050 / 4, abs=1
    )


def test_a_segment_after_the_end_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    with pytest.raises(AudioError, match="holds no samples"):
        decoding.decode(path, start=5.0, seconds=1.0)


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.mp3", music(1.0, 44_100, channels=2), 44_100)
    whole, _ = decoding.decode(path)
    monkeypatch.setattr(decoding, "BLOCK_SAMPLES", 1_000)
    np.testing.assert_array_equal(decoding.decode(path)[0], whole)


@pytest.mark.parametrize("length", [1, 7, 22_049, 22_050, 22_051])
def test_resampling_has_librosa_s_length(length: int) -> None:
    wave = music(2.0)[:length]
    for wanted in (22_050, 16_000, 44_100, 8_000):
        expected = librosa.resample(wave, orig_sr=22_050, target_sr=wanted)
        made = decoding.resample(wave, 22_050, wanted)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, expected)


def test_content_hash_is_of_the_bytes(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "a.wav"
    path.write_bytes(b"sound" * 100_000)
    assert decoding.content_hash(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def _nothing(path: Path) -> None:
    pass


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's whole path must be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


BAD_PLACES = {
    "absent": (_nothing, "No such file"),
    "folder": (_folder, "is a folder"),
    "pipe": (_pipe, "not a regular file"),
    "socket": (_socket, "not a regular file"),
    "symlink loop": (_loop, "symbolic link"),
    "empty": (lambda path: path.touch(), "is empty"),
}


@pytest.mark.parametrize("case", BAD_PLACES)
@pytest.mark.parametrize("function", [decoding.probe, decoding.decode, decoding.content_hash])
def test_what_is_no_file_is_refused_with_its_name(tmp_path: Path, case: str, function) -> None:
    make, reason = BAD_PLACES[case]
    path = tmp_path / "song.mp3"
    make(path)
    with pytest.raises(AudioError, match=reason) as caught:
        function(path)
    assert str(path) in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(0.5))
    path.chmod(0)
    for function in (decoding.probe, decoding.decode, decoding.content_hash):
        with pytest.raises(AudioError, match=r"Permission denied|cannot be read"):
            function(path)


def test_text_named_mp3_does_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_text("not music " * 100)
    for function in (decoding.probe, decoding.decode):
        with pytest.raises(AudioError, match="does not decode") as caught:
            function(path)
        assert str(path) in caught.value.message


def test_without_pyav_the_hint_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0" * 1_000)
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)
    with pytest.raises(AudioError) as caught:
        decoding.decode(path)
    assert "mgc-music[av]" in caught.value.hint


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    wave = music(0.5)
    wave[100] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, 22_050, subtype="FLOAT")
    with pytest.raises(AudioError, match="not numbers"):
        decoding.decode(path)


@pytest.mark.parametrize("value", [4e3, -1e20, 3e38])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_samples_far_out_of_range_are_refused(tmp_path: Path, value: float, channels: int) -> None:
    """They are numbers, and the whole file and each command say the same."""
    wave = np.repeat(music(0.5)[:, None], channels, axis=1)
    wave[100] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, 22_050, subtype="FLOAT")
    said = f"holds samples out of range: up to {abs(value):.0e} of full scale"
    with pytest.raises(AudioError, match=re.escape(said)):
        decoding.decode(path)
    assert listen(path).problem == f"{said}."
    soundfile.write(path, np.clip(wave, -999, 999), 22_050, subtype="FLOAT")
    assert np.isfinite(decoding.decode(path)[0]).all()
    assert not listen(path).problem


@pytest.mark.parametrize("rate", [1, 1_999, 768_001, 2_000_000_000])
def test_an_absurd_rate_is_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, music(0.5), rate)
    for function in (decoding.probe, decoding.decode):
        with pytest.raises(AudioError, match=f"{rate} Hz"):
            function(path)


def test_many_channels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((100, 1_000), np.float32), 22_050)
    assert decoding.decode(path)[0].shape == (100,)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0, np.float32), 22_050)
    with pytest.raises(AudioError, match="no samples"):
        decoding.decode(path)
