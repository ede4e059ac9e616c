"""Audio files of every container that the tests can write, as bytes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from tests.sounds import music

Maker = Callable[[int, int, float], bytes]


def by_soundfile(container: str, codec: str, **settings: object) -> Maker:
    """A maker of files: (rate in Hz, channels, seconds) → bytes."""

    def make(rate: int, channels: int, seconds: float) -> bytes:
        made = io.BytesIO()
        wave = music(seconds, rate, channels=channels)
        soundfile.write(made, wave, rate, format=container, subtype=codec, **settings)
        return made.getvalue()

    return make


def by_av(container: str, codec: str, bit_rate: int = 64_000, **options: str) -> Maker:
    """The same by FFmpeg, through PyAV."""

    def make(rate: int, channels: int, seconds: float) -> bytes:
        import av

        wave = music(seconds, rate, channels=channels).reshape(-1, channels)
        layout = "mono" if channels == 1 else "stereo"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "made")
            with av.open(str(path), "w", format=container, options=options) as file:
                stream = file.add_stream(codec, rate=rate, layout=layout, bit_rate=bit_rate)
                form = av.AudioResampler(stream.codec_context.format, layout, rate)
                for start in range(0, len(wave), 1_024):
                    block = np.ascontiguousarray(wave[start : start + 1_024].T)
                    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                    frame.sample_rate, frame.pts = rate, start
                    for part in form.resample(frame):
                        file.mux(stream.encode(part))
                file.mux(stream.encode(None))
            return path.read_bytes()

    return make


def _without_xing(rate: int, channels: int, seconds: float) -> bytes:
    whole = MAKERS["vbr.mp3"](rate, channels, seconds)
    return whole[whole.index(whole[:2], 2) :]


#: name → maker; the suffix is the file's.
MAKERS: dict[str, Maker] = {
    "cbr.mp3": by_soundfile("MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT"),
    "vbr.mp3": by_soundfile("MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE"),
    "cbr_no_xing.mp3": by_av("mp3", "libmp3lame", write_xing="0", id3v2_version="0"),
    "vbr_no_xing.mp3": _without_xing,
    "a.mp2": by_av("mp2", "mp2"),
    "a.aac": by_av("adts", "aac"),
    "a.m4a": by_av("mp4", "aac"),
    "fast.m4a": by_av("mp4", "aac", movflags="+faststart"),
    "a.mka": by_av("matroska", "aac"),
    "a.webm": by_av("webm", "libopus"),
    "a.wma": by_av("asf", "wmav2"),
    "a.ogg": by_soundfile("OGG", "VORBIS"),
    "a.opus": by_soundfile("OGG", "OPUS"),
    "flac.ogg": by_av("ogg", "flac"),
    "a.flac": by_soundfile("FLAC", "PCM_16"),
    "a.wav": by_soundfile("WAV", "PCM_16"),
    "a.aiff": by_soundfile("AIFF", "PCM_16"),
    "a.caf": by_soundfile("CAF", "PCM_16"),
    "a.w64": by_soundfile("W64", "PCM_16"),
    "a.au": by_soundfile("AU", "PCM_16"),
}
#: What libsndfile alone cannot read.
NEED_AV = frozenset({"a.aac", "a.m4a", "fast.m4a", "a.mka", "a.webm", "a.wma", "flac.ogg"})
SECONDS, RATE = 4.0, 16_000


@cache
def encoded(name: str, rate: int = RATE, channels: int = 1, seconds: float = SECONDS) -> bytes:
    """A file, made once."""
    return MAKERS[name](48_000 if name == "a.webm" else rate, channels, seconds)
