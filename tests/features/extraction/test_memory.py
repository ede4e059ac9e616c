"""Memory stays bounded, whatever the length and the number of the files."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from mgc.audio import decoding
from mgc.features import file_hashes
from mgc.features.extraction import extract
from mgc.features.extraction.jobs import ExtractionPlan
from mgc.features.extractor_spec import ExtractorSpec
from tests.sounds import album, music

GIB = 1 << 30
HOURS = 10
RATE = 22_050

#: Prints the memory after the imports, extracts, prints the peak of this process: the kernel's
#: VmHWM, for ru_maxrss begins with what the process that started this one had.
RUN = """
import re, sys
from pathlib import Path
import psutil, torch
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
sources = [ExtractorSpec(name) for name in ("mel", "mfcc", "chroma")]
[source.extractor for source in sources]
paths = sorted(Path(sys.argv[1]).iterdir())
imported = psutil.Process().memory_info().rss
print(imported, flush=True)
done = extract(paths, sources, workers=int(sys.argv[2]))
assert done.made == len(paths), done.failures
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""


def mp3_of_ten_hours(path: Path) -> Path:
    """A minute's frames over and over; without the Xing frame, whose length would be a minute."""
    minute = io.BytesIO()
    soundfile.write(
        minute, music(60.0, RATE), RATE, format="MP3", subtype="MPEG_LAYER_III",
        compression_level=0.99, bitrate_mode="CONSTANT",
    )  # fmt: skip
    frames = minute.getvalue()
    second = frames.index(frames[:2], 4)  # the sync word of the next frame
    with open(path, "wb") as file:
        for _ in range(60 * HOURS):
            file.write(frames[second:])
    return path


def peaks(folder: Path, workers: int) -> tuple[int, int, int]:
    """Bytes after the imports, at the peak of the parent, and at the peak of all workers."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(workers)], stdout=subprocess.PIPE, text=True
    )
    highest = [0]

    def watch() -> None:
        while process.poll() is None:
            highest[0] = max(highest[0], _of_workers(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    watcher.join()
    assert process.returncode == 0
    imported, peak = map(int, output.split())
    return imported, peak, highest[0]


def _of_workers(pid: int) -> int:
    """What the workers of a run have beyond what they share with the fork server."""
    total = 0
    try:
        for server in psutil.Process(pid).children():
            total += sum(worker.memory_full_info().uss for worker in server.children())
    except psutil.Error:
        return 0
    return total


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_of_ten_hours(tmp_path: Path, mgc_home: Path, workers: int) -> None:
    (tmp_path / "music").mkdir()
    path = mp3_of_ten_hours(tmp_path / "music" / "long.mp3")
    assert decoding.probe(path).seconds == pytest.approx(HOURS * 3_600, rel=0.05)
    imported, peak, of_workers = peaks(path.parent, workers)
    assert peak - imported + of_workers < GIB


def test_a_thousand_short_files(tmp_path: Path, mgc_home: Path) -> None:
    (tmp_path / "music").mkdir()
    wave = music(40.0, 8_000)
    for number in range(1_000):
        cut = wave[number * 300 :][: 8_000 * 2]
        soundfile.write(tmp_path / "music" / f"{number:04}.wav", cut, 8_000)
    imported, peak, of_workers = peaks(tmp_path / "music", 2)
    assert peak - imported + of_workers < GIB


def test_what_is_known_of_files_is_looked_up_a_few_at_a_time(
    tmp_path: Path, mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stamps and hashes of a million files that all lack features took 0.6 GB."""
    paths, sources = album(tmp_path, 7), [ExtractorSpec("mel")]
    extract(paths[:3], sources, workers=1)
    hashes = file_hashes.hashes(paths)
    asked, real = list[int](), file_hashes.known

    def known(some: Iterable[Path]) -> dict[Path, tuple[file_hashes.Stamp, str]]:
        some = list(some)
        asked.append(len(some))
        return real(some)

    monkeypatch.setattr(file_hashes, "AT_ONCE", 2)
    monkeypatch.setattr(file_hashes, "known", known)
    plan = ExtractionPlan(paths, sources)
    assert (plan.waiting, [*plan.there.items()]) == (4, [*zip(paths[:3], hashes, strict=False)])
    again = "mgc.features.extraction.jobs.sound_hash"
    monkeypatch.setattr(again, lambda path: pytest.fail(f"{path} is hashed again"))
    assert [(job.number, job.path, job.audio_hash, job.stamp) for job in plan.jobs()] == [
        (n, paths[n], hashes[n], file_hashes.stamp(paths[n])) for n in range(3, 7)
    ]
    assert max(asked) == 2


def test_a_header_that_claims_a_length_beyond_memory(tmp_path: Path) -> None:
    """Nothing is set aside for what a header claims: a day of 768 kHz in 64 channels is 17 TB."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((22_050, 2), np.float32), 22_050, format="RF64", subtype="FLOAT")
    content = bytearray(path.read_bytes())
    at = content.index(b"ds64") + 8
    for field in range(3):
        content[at + 8 * field : at + 8 * field + 8] = (1 << 44).to_bytes(8, "little")
    path.write_bytes(content)
    before = psutil.Process().memory_info().rss
    try:
        wave, _ = decoding.decode(path)
        assert len(wave) <= 22_050
    except decoding.AudioError as error:
        assert str(path) in error.message  # noqa: PT017 - either outcome is right
    assert psutil.Process().memory_info().rss - before < 200 << 20
