"""Whatever bytes are wrong, a file is heard or refused with its name, quickly."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mgc.audio import decoding, sound_length
from mgc.audio.given import AudioBytes
from mgc.errors import AudioError
from tests.audio.encoding import MAKERS, encoded

pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")


def _damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    made = bytearray(whole)
    for _ in range(int(rng.integers(0, 12))):
        made[int(rng.integers(0, min(len(made), 120)))] = int(rng.integers(0, 256))
    for _ in range(int(rng.integers(0, 12))):
        made[int(rng.integers(0, len(made)))] = int(rng.integers(0, 256))
    first = int(rng.integers(0, len(made)))
    del made[first : first + int(rng.integers(0, 400))]
    return bytes(made[: int(rng.integers(1, 2 * len(made)))])


@pytest.mark.parametrize("name", MAKERS)
def test_damaged_bytes_are_heard_or_refused(name: str) -> None:
    rng = np.random.default_rng(sum(name.encode()))
    for _ in range(12):
        audio = AudioBytes(_damaged(encoded(name, seconds=1.0), rng), "song")
        try:
            with decoding.opened(audio) as reader:
                for block in reader.blocks(0, None):
                    assert block.shape[1] == reader.format.channels
        except AudioError as error:
            assert "song" in error.message  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("content", [bytes(1 << 20), b"\xff" * (1 << 20), b"\xff\xfb" * (1 << 19)])
def test_what_looks_like_frames_everywhere_takes_no_time(content: bytes) -> None:
    begin = time.process_time()
    assert sound_length.contents(AudioBytes(content)).parts == ()
    assert time.process_time() - begin < 3
