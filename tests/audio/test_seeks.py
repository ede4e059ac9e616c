"""A part of a file is the piece of its full decode that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mgc.audio import decoding
from tests.audio.encoding import MAKERS, NEED_AV, Maker, by_av, by_soundfile, encoded
from tests.sounds import music

SECONDS, PIECE = 12.0, 0.6
#: Rate in Hz, channels and bits per second: where frames are few bytes, they need many before them.
MP3 = [
    *((8_000, 2, 8_000), (22_050, 1, 8_000), (22_050, 2, 8_000), (22_050, 2, 32_000)),
    *((16_000, 1, 24_000), (44_100, 1, 32_000), (48_000, 1, 32_000), (44_100, 2, 64_000)),
    *((44_100, 2, 128_000), (44_100, 2, 320_000)),
]
#: Containers that count in milliseconds.
COARSE = ("a.mka", "a.webm", "a.wma")


def _pieces(path: Path) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """(piece, full decode, position that was asked for) at some positions."""
    whole, rate = decoding.decode(path)
    starts = [0.0, 0.001, 0.5, *np.random.default_rng(0).uniform(0, SECONDS - 1, 9)]
    return [
        (decoding.decode(path, start=start, seconds=PIECE)[0], whole, round(start * rate))
        for start in starts
    ]


def _write(path: Path, make: Maker, rate: int = 44_100, channels: int = 2) -> Path:
    path.write_bytes(make(rate, channels, SECONDS))
    return path


def _exact(path: Path) -> None:
    for piece, whole, at in _pieces(path):
        np.testing.assert_allclose(piece, whole[at : at + len(piece)], atol=1e-4)


def _clips_are_exact(path: Path) -> None:
    """Clips of one file, one after the other, as extraction takes them."""
    whole, rate = decoding.decode(path)
    starts = [0.013, 1.7, 3.0001, 5.5, 7.123, 9.9]
    clips, _ = decoding.excerpts(path, lambda length: starts, PIECE)
    for clip, start in zip(clips, starts, strict=True):
        at = round(start * rate)
        np.testing.assert_allclose(clip, whole[at : at + len(clip)], atol=1e-4)


@pytest.mark.parametrize("xing", ["0", "1"])
@pytest.mark.parametrize(("rate", "channels", "bits"), MP3)
def test_mp3_seeks_are_exact(
    tmp_path: Path, rate: int, channels: int, bits: int, xing: str
) -> None:
    pytest.importorskip("av")
    make = by_av("mp3", "libmp3lame", bits, write_xing=xing)
    path = _write(tmp_path / "a.mp3", make, rate, channels)
    _exact(path)
    _clips_are_exact(path)


@pytest.mark.parametrize("quality", [0.0, 0.5, 0.9])
def test_vbr_mp3_seeks_are_exact(tmp_path: Path, quality: float) -> None:
    make = by_soundfile("MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=quality)
    _exact(_write(tmp_path / "a.mp3", make))


EXACT = [name for name in MAKERS if name not in NEED_AV and not name.endswith(".mp3")]


@pytest.mark.parametrize("name", [*EXACT, "a.aac"])
def test_seeks_are_exact(tmp_path: Path, name: str) -> None:
    """ADTS has no index: it is decoded from its beginning."""
    if name in NEED_AV:
        pytest.importorskip("av")
    path = _write(tmp_path / name, MAKERS[name], 48_000 if name == "a.opus" else 44_100)
    _exact(path)
    if name != "a.aac":  # its noise differs each time
        _clips_are_exact(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "vbr.mp3"])
def test_seeks_in_joined_files_of_two_rates_are_exact(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    half = SECONDS / 2
    path.write_bytes(encoded(name, 16_000, 1, half) + encoded(name, 22_050, 2, half))
    _exact(path)


@pytest.mark.parametrize("name", ["fast.m4a", *COARSE])
def test_seeks_of_ffmpeg_are_exact_to_what_the_container_counts(tmp_path: Path, name: str) -> None:
    """AAC fills bands with noise that differs each time: what counts is where it is most alike."""
    pytest.importorskip("av")
    path = _write(tmp_path / name, MAKERS[name], 48_000 if name == "a.webm" else 44_100)
    shifts = range(-120, 121)
    for piece, whole, at in _pieces(path):
        middle = slice(2_000, 12_000)
        alike = {
            shift: float(piece[middle] @ whole[at + shift : at + shift + len(piece)][middle])
            for shift in shifts
            if 0 <= at + shift <= len(whole) - len(piece)
        }
        best = max(alike, key=lambda shift: alike[shift])
        assert abs(best) <= (60 if name in COARSE else 0)


@pytest.mark.parametrize("seed", range(4))
def test_many_clips_of_vorbis_are_exact(tmp_path: Path, seed: int) -> None:
    """libsndfile alone lands 448 or 896 samples off in one seek of ten, unless it is rewound."""
    path = _write(tmp_path / "a.ogg", MAKERS["a.ogg"])
    whole, rate = decoding.decode(path)
    starts = np.sort(np.random.default_rng(seed).uniform(0.1, SECONDS - 1, 20))
    clips, _ = decoding.excerpts(path, lambda length: [*starts, SECONDS - PIECE], PIECE)
    for clip, start in zip(clips, starts, strict=False):
        at = round(start * rate)
        np.testing.assert_allclose(clip, whole[at : at + len(clip)], atol=1e-4)


def test_blocks_of_vorbis_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "a.ogg", MAKERS["a.ogg"])
    whole, _ = decoding.decode(path)
    monkeypatch.setattr(decoding, "BLOCK_SAMPLES", 200_000)
    np.testing.assert_allclose(decoding.decode(path)[0], whole, atol=1e-4)


def test_blocks_of_a_low_bit_rate_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """soundfile seeks after every read: each block needs its run-up."""
    pytest.importorskip("av")
    path = tmp_path / "a.mp3"
    path.write_bytes(by_av("mp3", "libmp3lame", 8_000)(22_050, 1, SECONDS))
    whole, _ = decoding.decode(path)
    monkeypatch.setattr(decoding, "BLOCK_SAMPLES", 10_000)
    np.testing.assert_allclose(decoding.decode(path)[0], whole, atol=1e-4)
    assert whole.std() == pytest.approx(music(SECONDS).std(), rel=0.3)
