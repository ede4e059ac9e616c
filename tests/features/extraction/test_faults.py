"""Three hundred damaged files among good ones: each listed with its reason, the rest done."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.audio.clip_policy import ClipPolicy
from mgc.features.extraction import extract, features_of
from mgc.features.extractor_spec import ExtractorSpec
from tests.sounds import FORMATS, music, write

COUNT = 300
POLICY = ClipPolicy(0.5, 3)


def sources() -> list[ExtractorSpec]:
    return [ExtractorSpec(name, policy=POLICY) for name in ("mel", "mfcc", "chroma")]


def _truncated(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(1, len(content))]


def _bits_flipped(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 5, 50, 500])):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _header_changed(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 3, 10])):
        changed[dice.randrange(min(64, len(changed)))] = dice.randrange(256)
    return bytes(changed)


def _hole(content: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    return content[:start] + bytes(dice.randrange(1, 5_000)) + content[start + 2_000 :]


def _rubbish_before(content: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(dice.choice([1, 10, 5_000])) + content


def _rubbish_after(content: bytes, dice: random.Random) -> bytes:
    return content + dice.randbytes(10_000)


def _only_rubbish(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.choice([0, 4, 12, 44])] + dice.randbytes(20_000)


def _pieces_shuffled(content: bytes, dice: random.Random) -> bytes:
    pieces = [content[start : start + 3_000] for start in range(0, len(content), 3_000)]
    dice.shuffle(pieces)
    return b"".join(pieces)


def _absurd_wav(content: bytes, dice: random.Random) -> bytes:
    """A sound WAV whose header claims absurd channels, rates, widths or lengths."""
    body = music(0.3, seed=dice.randrange(1 << 30))
    data = (body * 32_767).astype("<i2").tobytes()
    channels = dice.choice([0, 1, 2, 255, 65_535])
    rate = dice.choice([0, 1, 50, 22_050, 768_000, 1 << 30, (1 << 32) - 1])
    bits = dice.choice([0, 1, 7, 8, 16, 24, 64, 65_535])
    length = dice.choice([0, len(data), len(data) * 1_000, (1 << 32) - 1])
    form = struct.pack("<HHIIHH", dice.choice([0, 1, 3, 85, 65_534]), channels, rate, 4, 4, bits)
    head = b"RIFF" + struct.pack("<I", dice.choice([0, 36 + len(data), (1 << 32) - 1])) + b"WAVE"
    return (
        head + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + data
    )


def _absurd_au(content: bytes, dice: random.Random) -> bytes:
    numbers = [24, (1 << 32) - 1, dice.choice([0, 1, 3, 6, 27, 99])]
    numbers += [dice.choice([0, 1, 8_000, (1 << 32) - 1]), dice.choice([0, 1, 77, 1 << 31])]
    return b".snd" + struct.pack(">5I", *numbers) + dice.randbytes(9_000)


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _truncated,
    _bits_flipped,
    _header_changed,
    _hole,
    _rubbish_before,
    _rubbish_after,
    _only_rubbish,
    _pieces_shuffled,
    _absurd_wav,
    _absurd_au,
]


def mutated(folder: Path, count: int, seed: int) -> list[Path]:
    """So many damaged files, of all formats, some with another format's suffix."""
    folder.mkdir()
    dice = random.Random(seed)
    sound = []
    for number, suffix in enumerate(FORMATS):
        rate = 48_000 if suffix == ".opus" else 44_100
        path = write(folder / f"sound{suffix}", music(1.3, rate, number, channels=2), rate)
        sound.append((suffix, path.read_bytes()))
        path.unlink()
    paths = []
    for number in range(count):
        suffix, content = sound[number % len(sound)]
        content = MUTATIONS[number % len(MUTATIONS)](content, dice)
        if number % 17 == 0:
            suffix = dice.choice(list(FORMATS))
        path = folder / f"{number:04}{suffix}"
        path.write_bytes(content)
        paths.append(path)
    return paths


def odd(folder: Path) -> list[Path]:
    """What is not a regular file of sound at all."""
    folder.mkdir()
    pipe, loop, gone, device = (folder / f"{name}.mp3" for name in ("pipe", "loop", "gone", "zero"))
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    gone.symlink_to(folder / "nowhere")
    device.symlink_to("/dev/zero")
    named = folder / "folder.mp3"
    named.mkdir()
    empty = folder / "empty.flac"
    empty.touch()
    talk = folder / "talk.mp3"
    here = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(talk.name)
    os.chdir(here)
    nan = folder / "nan.wav"
    soundfile.write(nan, np.full(22_050, np.nan, np.float32), 22_050, subtype="FLOAT")
    infinite = folder / "infinite.wav"
    soundfile.write(infinite, np.full(22_050, np.inf, np.float32), 22_050, subtype="FLOAT")
    loud = folder / "loud.wav"
    soundfile.write(loud, np.full(22_050, 3e38, np.float32), 22_050, subtype="FLOAT")
    paths = [
        pipe,
        loop,
        gone,
        device,
        named,
        empty,
        talk,
        nan,
        infinite,
        loud,
        folder / "absent.ogg",
    ]
    if os.geteuid():  # root may read everything
        hidden = write(folder / "hidden.wav", music(1.0))
        hidden.chmod(0)
        paths.append(hidden)
    return paths


@pytest.fixture(autouse=True)
def _home(mgc_home: Path) -> None:
    pass


@pytest.mark.parametrize("seed", [0])
def test_damaged_files_among_good_ones(tmp_path: Path, seed: int) -> None:
    damaged = mutated(tmp_path / "damaged", COUNT, seed)
    good = [write(tmp_path / f"good{n}.ogg", music(1.3, seed=100 + n)) for n in range(20)]
    vanishing = [write(tmp_path / f"vanishing{n}.wav", music(1.3, seed=200 + n)) for n in range(20)]
    unusable = odd(tmp_path / "odd")
    paths = [*damaged, *good, *unusable, *vanishing]
    random.Random(seed).shuffle(paths)
    stopping = threading.Event()
    vandal = threading.Thread(target=_remove, args=(vanishing, stopping))
    vandal.start()
    begun = time.monotonic()
    try:
        done = extract(paths, sources(), workers=2)
    finally:
        stopping.set()
        vandal.join()
    assert time.monotonic() - begun < 200
    failed = {failure.path: failure.reason for failure in done.failures}
    assert done.made + done.found + len(failed) == len(paths)
    for path, reason in failed.items():
        assert reason.startswith(f"{path}: ")
        assert len(reason.splitlines()) == 1
        assert "worker process died" not in reason
    assert not set(good) & set(failed)
    assert set(unusable) <= set(failed)
    assert 30 < sum(path in failed for path in damaged) < COUNT - 30  # both sorts are there
    assert [failure.path for failure in done.failures] == [p for p in paths if p in failed]
    for path in good[:5]:
        alone = features_of(path, sources())
        for source in sources():
            for one, other in zip(
                source.store.read(done.hashes[path]), alone[source.name], strict=True
            ):
                np.testing.assert_array_equal(one, other)
    for source in sources():
        for sha in source.store.rows:
            for clip in source.store.read(sha):
                assert np.isfinite(clip).all()


def _remove(paths: list[Path], stopping: threading.Event) -> None:
    """Remove files one by one while others are read."""
    for path in paths:
        if stopping.wait(0.3):
            return
        path.unlink()


def test_another_run_over_damaged_files_finds_and_fails_the_same(tmp_path: Path) -> None:
    paths = mutated(tmp_path / "damaged", 60, seed=1)
    first = extract(paths, sources(), workers=1)
    again = extract(paths, sources(), workers=1)
    assert again.made == 0
    assert again.failures == first.failures
    assert Counter(again.hashes) == Counter(first.hashes)
