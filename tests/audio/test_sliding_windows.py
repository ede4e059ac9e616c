"""Windows of a file that is decoded block by block are those of the whole file."""

from __future__ import annotations

import numpy as np
import pytest

from mgc.audio import readers
from mgc.audio.given import AudioSamples
from mgc.audio.sliding_windows import sliding
from mgc.errors import AudioError

RATE = 8_000


def noise(samples: int) -> AudioSamples:
    made = np.random.default_rng(0).uniform(-1, 1, (samples, 1))
    return AudioSamples(made.astype(np.float32), RATE)


@pytest.mark.parametrize("block", [1_000, 7_777, 1 << 22])
@pytest.mark.parametrize(("window", "hop"), [(1.0, 1.0), (1.0, 0.37), (2.0, 0.5)])
def test_windows_are_parts_of_the_whole(
    window: float, hop: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "BLOCK_SAMPLES", block)
    audio, size = noise(41_900), round(window * RATE)
    whole, found = audio.samples[:, 0], list(sliding(audio, window, hop))
    *regular, (last, ending, _) = found
    for number, (start, wave, rate) in enumerate(regular):
        at = round(number * hop * RATE)
        assert (start, rate) == (at / RATE, RATE)
        np.testing.assert_array_equal(wave, whole[at : at + size])
    np.testing.assert_array_equal(ending, whole[-size:])
    assert last == pytest.approx((len(whole) - size) / RATE)


def test_what_is_left_at_the_end_is_heard_unless_it_is_next_to_nothing() -> None:
    assert len(list(sliding(noise(3 * RATE), 1.0, 1.0))) == 3
    assert len(list(sliding(noise(3 * RATE + 100), 1.0, 1.0))) == 3
    assert len(list(sliding(noise(3 * RATE + 1_000), 1.0, 1.0))) == 4


def test_audio_shorter_than_a_window_is_one_shorter_window() -> None:
    [(start, wave, _)] = sliding(noise(3 * RATE), 30.0, 15.0)
    assert (start, len(wave)) == (0.0, 3 * RATE)
    with pytest.raises(AudioError, match=r"too short \(0\.10 s of at least 0\.25 s\)"):
        list(sliding(noise(RATE // 10), 30.0, 15.0))


def test_samples_that_are_no_numbers_are_refused() -> None:
    audio = noise(3 * RATE)
    audio.samples[-5] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        list(sliding(audio, 1.0, 1.0))
