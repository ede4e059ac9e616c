"""On real music: planted copies are found, and nothing else is called one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.datasets.quality.duplicates import near
from mgc.datasets.quality.listening import hear

#: Two clips of magna4 are there twice, in two encodings (their waveforms correlate by 0.96 and
#: more; same artist, same album).
REAL_COPIES = {("0006", "0146"), ("0049", "0100")}


def planted(files: list[Path], folder: Path) -> dict[Path, Path]:
    """Copies of some clips: re-encoded, trimmed by 0.5 s, 3 dB quieter, and all at once."""
    made = {}
    for number, file in enumerate(files[:: len(files) // 16]):
        wave, rate = decoding.decode(file)
        kind = number % 4
        if kind in (1, 3):
            wave = wave[rate // 2 :]
        if kind in (2, 3):
            wave = wave * np.float32(10 ** (-3 / 20))
        copy = folder / f"{file.stem} {kind}.mp3"
        quality = 0.8 if kind in (0, 3) else 0.2
        soundfile.write(copy, wave, rate, bitrate_mode="CONSTANT", compression_level=quality)
        made[copy] = file
    return made


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("pattern", "known"),
    [("magna4/audio/*.mp3", REAL_COPIES), ("gtzan-mini/genres/*/*.mp3", set())],
)
def test_planted_copies_and_no_false_pair(
    real_data: Path, tmp_path: Path, pattern: str, known: set
) -> None:
    files = sorted(real_data.glob(pattern))
    copies = planted(files, tmp_path)
    every = [*files, *copies]
    heard = hear(every, codes=True)
    found = {
        (every[pair.first], every[pair.second])
        for pair in near([heard[path].codes for path in every])
    }
    wanted = {(file, copy) for copy, file in copies.items()}
    assert wanted <= found
    originals = {(copies.get(one, one).stem, copies.get(other, other).stem) for one, other in found}
    assert {pair for pair in originals if pair[0] != pair[1]} == known
