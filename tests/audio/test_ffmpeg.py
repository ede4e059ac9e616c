"""Formats beyond libsndfile, read through PyAV."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mgc.audio import decoding
from mgc.errors import AudioError
from tests.sounds import music

av = pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")
RATE = 44_100
#: suffix → (container, encoder)
ENCODED = {
    ".m4a": ("mp4", "aac"),
    ".mka": ("matroska", "aac"),
    ".wma": ("asf", "wmav2"),
}


def encode(path: Path, wave: np.ndarray, rate: int = RATE) -> Path:
    """Write (sample, channel) float32 with FFmpeg's own encoder for the suffix."""
    container_format, codec = ENCODED[path.suffix]
    layout = "mono" if wave.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, bit_rate=256_000)
        for start in range(0, len(wave), 1_024):
            block = np.ascontiguousarray(wave[start : start + 1_024].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(params=ENCODED)
def song(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    wave = music(3.0, RATE, channels=2)
    return encode(tmp_path / f"song{request.param}", wave), wave


def test_header(song: tuple[Path, np.ndarray]) -> None:
    found = decoding.probe(song[0])
    assert (found.sample_rate, found.channels) == (RATE, 2)
    assert found.seconds == pytest.approx(3.0, abs=0.15)


def test_the_mean_of_the_channels_at_its_own_loudness(song: tuple[Path, np.ndarray]) -> None:
    made, rate = decoding.decode(song[0])
    assert rate == RATE
    assert made.dtype == np.float32
    expected = song[1].mean(axis=1)
    assert len(made) == pytest.approx(len(expected), abs=6_000)
    assert made.std() == pytest.approx(expected.std(), rel=0.05)  # FFmpeg's mix is 1.4 × louder


@pytest.mark.parametrize("start", [0.0, 1.3])
def test_a_segment_is_a_piece_of_the_whole(song: tuple[Path, np.ndarray], start: float) -> None:
    whole, rate = decoding.decode(song[0])
    piece, _ = decoding.decode(song[0], start=start, seconds=0.5)
    first = round(start * rate)
    assert len(piece) == round(0.5 * rate)
    shifts = range(-45, 46) if start else [0]  # a container may keep whole milliseconds
    errors = [np.abs(piece - whole[first + s :][: len(piece)]).max() for s in shifts]
    assert min(errors) < 0.02


def test_a_segment_after_the_end(song: tuple[Path, np.ndarray]) -> None:
    with pytest.raises(AudioError, match="holds no samples"):
        decoding.decode(song[0], start=60.0, seconds=1.0)


def test_mono_and_resampled(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", music(1.0, RATE, channels=2)[:, :1])
    made, rate = decoding.decode(path, 16_000)
    assert rate == 16_000
    assert len(made) == pytest.approx(16_000, abs=2_000)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for function in (decoding.probe, decoding.decode):
        with pytest.raises(AudioError, match="no audio"):
            function(path)


def test_cut_off_files_decode_or_say_why(song: tuple[Path, np.ndarray]) -> None:
    path = song[0]
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        try:
            wave, _ = decoding.decode(path)
        except AudioError as error:
            assert str(path) in error.message  # noqa: PT017 - either outcome is right
        else:
            assert np.isfinite(wave).all()


def test_an_unknown_codec_in_a_known_container(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    form = struct.pack("<HHIIHH", 0x1234, 1, RATE, 4, 4, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 4_000)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4_036) + body + bytes(4_000))
    with pytest.raises(AudioError, match="does not decode") as caught:
        decoding.decode(path)
    assert caught.value.message.count(str(path)) == 1


def test_rubbish_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    with pytest.raises(AudioError, match="Invalid data") as caught:
        decoding.decode(path)
    assert caught.value.message.count(str(path)) == 1
