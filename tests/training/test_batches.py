"""Which windows are drawn, and what reaches the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mgc.training.batches import (
    MIN_WINDOW,
    ClipTable,
    DeviceSource,
    DiskSource,
    source,
    window_frames,
)
from mgc.training.head_spec import Training

CPU = torch.device("cpu")


def counted(lengths: list[list[int]], size: int) -> ClipTable:
    """Clips whose values say which clip (row 0) and which frame (row 1) they are."""
    number = 0
    tracks = []
    for track in lengths:
        clips = []
        for length in track:
            clips.append(np.stack([np.full(length, number), np.arange(length)]).astype(np.float16))
            number += 1
        tracks.append(clips)
    return ClipTable("sequence", tracks, size)


def test_an_epoch_draws_every_track_once_from_all_its_clips_and_frames() -> None:
    table = counted([[100], [100, 80, 90], [40]], 40)
    rng = np.random.default_rng(0)
    starts: dict[int, set[int]] = {clip: set() for clip in range(5)}
    for _ in range(2000):
        windows = table.draw(rng, 0)
        assert sorted(windows.track) == [0, 1, 2]
        assert (table.first[windows.track] <= windows.clip).all()
        assert (windows.clip < table.first[windows.track + 1]).all()
        for clip, start in zip(windows.clip, windows.start, strict=True):
            starts[clip].add(int(start))
    assert starts == {
        0: set(range(61)), 1: set(range(61)), 2: set(range(41)), 3: set(range(51)), 4: {0},
    }  # fmt: skip


def test_tracks_come_again_where_there_are_too_few() -> None:
    windows = counted([[50]], 40).draw(np.random.default_rng(0), 4)
    assert windows.track.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("length", "starts"),
    [(30, [0]), (40, [0]), (41, [0, 1]), (100, [0, 30, 60]), (120, [0, 40, 80])],
)
def test_windows_cover_a_clip_evenly(length: int, starts: list[int]) -> None:
    windows = counted([[7], [length]], 40).cover()
    assert windows.start[windows.clip == 1].tolist() == starts
    assert windows.track.tolist() == [0] + [1] * len(starts)


@pytest.mark.parametrize("make", [DeviceSource, DiskSource])
def test_a_batch_holds_the_windows_asked_for(make: Any) -> None:
    table = counted([[100], [70, 60], [25]], 40)
    windows = table.cover()
    parts = [slice(0, 4), slice(4, len(windows))]
    made = torch.cat(list(make(table, CPU).batches(windows, parts)))
    for row, clip, start in zip(made, windows.clip, windows.start, strict=True):
        assert (row[0] == clip).all()
        expected = (start + np.arange(40)) % table.frames[clip]
        assert row[1].tolist() == expected.tolist()
    assert made.dtype == torch.float16


@pytest.mark.parametrize("make", [DeviceSource, DiskSource])
@pytest.mark.parametrize("kind", ["vector", "layers"])
def test_vectors_and_layers_come_as_they_are(make: Any, kind: Any) -> None:
    shape = (3,) if kind == "vector" else (2, 3)
    clips = [np.full(shape, number, np.float32) for number in range(4)]
    table = ClipTable(kind, [clips[:1], clips[1:]], 1)
    windows = table.cover()
    made = torch.cat(list(make(table, CPU).batches(windows, [slice(0, 4)])))
    assert made.shape == (4, *shape)
    np.testing.assert_array_equal(made, np.stack(clips))


def test_what_does_not_fit_stays_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    table = counted([[1000]], 40)  # 4,000 bytes
    monkeypatch.setattr("mgc.training.batches._free_memory", lambda device: 7_000)
    assert isinstance(source(table, CPU, "auto"), DiskSource)
    monkeypatch.setattr("mgc.training.batches._free_memory", lambda device: 9_000)
    assert isinstance(source(table, CPU, "auto"), DeviceSource)
    assert isinstance(source(table, CPU, "disk"), DiskSource)


def test_a_reader_that_fails_says_so() -> None:
    table = counted([[100]] * 20, 40)
    table.clips[15] = None  # type: ignore[call-overload]
    parts = [slice(i, i + 1) for i in range(20)]
    with pytest.raises(AttributeError, match="shape"):
        list(DiskSource(table, CPU).batches(table.draw(np.random.default_rng(0), 0), parts))


@pytest.mark.parametrize(
    ("crop", "longest", "expected"),
    [(256, 1292, 256), (256, 100, 100), (0, 1292, 1292), (8, 1292, MIN_WINDOW), (256, 5, 32)],
)
def test_a_window_is_the_crop_or_the_longest_clip(crop: int, longest: int, expected: int) -> None:
    clips = [np.zeros((3, 5)), np.zeros((3, longest))]
    assert window_frames("sequence", Training(crop_frames=crop), clips) == expected
