"""Containers that libsndfile refuses, or that one header does not describe: all is heard, and parts
are the same samples as in the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.audio.sound_hash import sound_hash
from tests.audio.encoding import by_av, encoded
from tests.sounds import music

av = pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")


@pytest.mark.parametrize("layout", ["7.1", "hexadecagonal"])
def test_eight_channels_and_more(tmp_path: Path, layout: str) -> None:
    path, channels = tmp_path / "many.mka", av.AudioLayout(layout).nb_channels
    loudness = np.arange(1, channels + 1) * 1_000
    wave = np.tile(loudness, (8_000, 1)).astype(np.int16)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8_000, layout=layout)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = 8_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    made, _ = decoding.decode(path)
    assert decoding.probe(path).channels == channels
    assert len(made) == 8_000
    assert made == pytest.approx(loudness.mean() / 2**15, abs=1e-6)


def test_a_codec_without_places_in_it(tmp_path: Path) -> None:
    path = tmp_path / "phone.wav"
    soundfile.write(path, music(2.0, 8_000), 8_000, subtype="GSM610")
    whole, _ = decoding.decode(path)
    assert len(whole) == pytest.approx(16_000, abs=320)
    part, _ = decoding.decode(path, start=1.0, seconds=0.5)
    assert np.corrcoef(part, whole[8_000:12_000])[0, 1] > 0.9


def test_flac_whose_only_block_states_no_length(tmp_path: Path) -> None:
    path, tagged = tmp_path / "bare.flac", tmp_path / "tagged.flac"
    soundfile.write(tagged, music(2.0, 8_000), 8_000)
    whole = bytearray(tagged.read_bytes())
    frames = whole.index(b"\xff\xf8", 42)
    path.write_bytes(b"fLaC\x80" + whole[5:42] + whole[frames:])
    assert sound_hash(path) == sound_hash(tagged)
    whole[4], whole[21], whole[22:26] = 0x80, whole[21] & 0xF0, bytes(4)
    path.write_bytes(whole[:42] + whole[frames:])
    assert decoding.probe(path).seconds == 2.0


@pytest.mark.parametrize("rates", [(44_100, 22_050), (22_050, 48_000, 44_100)])
def test_adts_whose_rate_changes_is_as_long_as_it_is_heard(
    tmp_path: Path, rates: tuple[int, ...]
) -> None:
    path = tmp_path / "radio.aac"
    path.write_bytes(b"".join(encoded("a.aac", rate=rate) for rate in rates))
    heard, rate = decoding.decode(path)
    assert decoding.probe(path).seconds == pytest.approx(len(heard) / rate, abs=0.1)
    assert not decoding.probe(path).remark


@pytest.mark.parametrize("start", [0.0, 0.7, 1.3, 2.9])
def test_ogg_flac_of_ffmpeg_is_sought_to_the_sample(tmp_path: Path, start: float) -> None:
    path = tmp_path / "song.oga"
    path.write_bytes(by_av("ogg", "flac")(44_100, 2, 4.0))
    whole, rate = decoding.decode(path)
    part, _ = decoding.decode(path, start=start, seconds=0.5)
    first = round(start * rate)
    assert np.array_equal(part, whole[first : first + len(part)])
