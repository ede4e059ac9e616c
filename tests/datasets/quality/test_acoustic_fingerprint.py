import itertools
from pathlib import Path

import numpy as np
import pytest

from mgc.audio import decoding
from mgc.datasets.quality import duplicates, kept_codes
from mgc.datasets.quality.acoustic_fingerprint import BANDS, FRAME, HOP, SAMPLE_RATE, codes
from mgc.datasets.quality.duplicates import exact, near
from tests.datasets.conftest import RATE, music, write

OTHERS = 30


def plain_codes(wave: np.ndarray) -> np.ndarray:
    """The paper's definition, sample by sample, for audio at 5 kHz."""
    edges = [
        round(300.0 * (2000 / 300) ** (band / BANDS) * FRAME / SAMPLE_RATE)
        for band in range(BANDS + 1)
    ]
    window = np.hanning(FRAME)
    energy = []
    for start in range(0, len(wave) - FRAME + 1, HOP):
        power = np.abs(np.fft.rfft(wave[start : start + FRAME] * window)) ** 2
        energy.append([power[low:high].sum() for low, high in itertools.pairwise(edges)])
    made = []
    for before, now in itertools.pairwise(energy):
        bits = [
            now[band] - now[band + 1] - (before[band] - before[band + 1]) > 0
            for band in range(BANDS - 1)
        ]
        made.append(sum(bit << (31 - number) for number, bit in enumerate(bits)))
    return np.array(made, np.uint32)


def test_codes_are_the_papers() -> None:
    wave = music(3, 2.0, SAMPLE_RATE)
    ours, plain = codes(wave, SAMPLE_RATE), plain_codes(wave)
    assert ours.shape == plain.shape == (1 + (len(wave) - FRAME) // HOP - 1,)
    # float32 windows: a bit whose difference is near zero may fall the other way.
    assert np.bitwise_count(ours ^ plain).sum() < 0.001 * 32 * len(plain)


def test_short_and_silent_audio() -> None:
    assert len(codes(np.zeros(100, np.float32), SAMPLE_RATE)) == 0
    assert not codes(np.zeros(3 * RATE, np.float32), RATE).any()
    half = np.concatenate([music(1, 3.0), np.zeros(3 * RATE, np.float32)])
    made = codes(half, RATE)
    assert (made[:80] != 0).mean() > 0.95
    assert not made[-80:].any()


def test_level_does_not_matter() -> None:
    wave = music(1, 5.0)
    assert np.array_equal(codes(wave, RATE), codes(wave * np.float32(0.5), RATE))


@pytest.fixture(scope="module")
def prints() -> list[np.ndarray]:
    return [codes(music(seed, 12.0), RATE) for seed in range(OTHERS)]


@pytest.mark.parametrize("start", [0.0, 0.5, 0.5128, 2.3])
@pytest.mark.parametrize("quality", [0.0, 0.9])
@pytest.mark.parametrize("level", [1.0, 0.708])
def test_copies_are_found_and_nothing_else(
    tmp_path: Path, prints: list[np.ndarray], start: float, quality: float, level: float
) -> None:
    """Re-encoded at two bit-rates, trimmed, 3 dB quieter, alone and all at once."""
    wave = music(7, 12.0)[int(start * RATE) :] * np.float32(level)
    path = tmp_path / "copy.mp3"
    write(path, wave, format="MP3", bitrate_mode="CONSTANT", compression_level=quality)
    copy = codes(*decoding.decode(path))
    pairs = near([*prints, copy])
    assert [(pair.first, pair.second) for pair in pairs] == [(7, OTHERS)]
    assert pairs[0].offset == pytest.approx(start, abs=0.1)
    assert pairs[0].seconds == pytest.approx(12 - start - 0.4, abs=0.3)


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_more_codes_than_one_slice_and_further_bits_find_the_same(
    prints: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    """What a collection of many more tracks does: as many bits more must agree."""
    rng = np.random.default_rng(0)
    worn = prints[9][60:] ^ (1 << rng.integers(0, 400, len(prints[9]) - 60)).astype(np.uint32)
    some = [*prints[:12], prints[3][40:], prints[5][:300], worn]
    plain = near(some)
    assert [(pair.first, pair.second) for pair in plain] == [(3, 12), (5, 13), (9, 14)]
    total = sum(map(len, some))
    monkeypatch.setattr(duplicates, "MAX_CODES", (total - 1) // (1 << bits - 1))
    monkeypatch.setattr(duplicates, "IN_BUCKET", total // 60)
    monkeypatch.setattr(kept_codes, "AT_ONCE", 4)
    monkeypatch.setattr(kept_codes, "MAX_MEMORY", 10_000)
    assert near(some) == plain


def test_other_takes_of_a_piece_are_other_recordings(prints: list[np.ndarray]) -> None:
    """The same tones a little later in time and pitch: a performance, not a copy."""
    other = np.interp(np.arange(0, 12 * RATE, 1.06), np.arange(12 * RATE), music(7, 12.0))
    assert near([prints[7], codes(other.astype(np.float32), RATE)]) == []


def test_too_short_an_overlap_is_none(prints: list[np.ndarray]) -> None:
    frames = int(duplicates.MIN_OVERLAP / duplicates.SECONDS_PER_CODE)
    assert near([prints[0], prints[0][: frames - 10]]) == []
    assert len(near([prints[0], prints[0][: frames + 10]])) == 1


def test_silence_and_hum_are_no_copies_of_each_other() -> None:
    hum = np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE).astype(np.float32)
    silent = codes(np.zeros(10 * RATE, np.float32), RATE)
    assert near([silent, silent, np.zeros(0, np.uint32)]) == []
    assert near([]) == []
    # One hum in hundreds of tracks: the codes are too common to say anything.
    assert near([codes(hum, RATE)] * 70) == []


def test_all_pairs_of_a_cluster_are_named(prints: list[np.ndarray]) -> None:
    pairs = near([prints[1], prints[2], prints[1], prints[1]])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2), (0, 3), (2, 3)]
    assert all(pair.error == 0 and pair.offset == 0 for pair in pairs)


def test_matching_against_a_plain_search(prints: list[np.ndarray]) -> None:
    """Every pair at every offset, by hand, finds the same copies."""
    some = [*prints[:8], prints[3][40:], prints[5][:300]]
    found = {(pair.first, pair.second): pair.error for pair in near(some)}
    for first in range(len(some)):
        for second in range(first + 1, len(some)):
            errors = []
            for offset in range(-250, 251):
                one = some[first][max(0, offset) :]
                other = some[second][max(0, -offset) :]
                length = min(len(one), len(other))
                if length * duplicates.SECONDS_PER_CODE >= duplicates.MIN_OVERLAP:
                    bits = np.bitwise_count(one[:length] ^ other[:length])
                    errors.append(bits.mean() / 32)
            least = min(errors)
            if (first, second) in found:
                assert found[first, second] == pytest.approx(least, abs=1e-6)
            else:
                assert least > 0.4


def test_exact_groups() -> None:
    assert exact(["a", "b", "a", "", "", "b", "a", "c"]) == [[0, 2, 6], [1, 5]]
