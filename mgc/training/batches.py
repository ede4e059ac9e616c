"""Which part of which clip comes next, and how it gets to the device.

Features that fit are one tensor on the device, and a batch is an index into it: no loader.
Otherwise a few threads read ahead from the memory-mapped clips.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mgc.plugins.contract import FeatureKind
from mgc.training.head_spec import Training
from mgc.training.track_data import Clips

MIN_WINDOW = 32  # frames; four halvings leave a convolutional head two
SHARE_OF_MEMORY = 0.5  # of the free memory may be filled with features
READERS = 2
READ_AHEAD = 4  # batches


@dataclass(frozen=True)
class Windows:
    """Windows in order of use: track, clip and first frame (window,)."""

    track: np.ndarray
    clip: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.track)


class ClipTable:
    """The clips of some tracks in a row: which track each belongs to, and its frames.

    ``first`` (track + 1,) gives where the clips of each track begin; ``frames`` (clip,) is 1 for
    features without a time axis. ``size`` is the window's length in frames.
    """

    def __init__(self, kind: FeatureKind, features: Sequence[Clips], size: int) -> None:
        self.kind, self.size = kind, size
        self.n_tracks = len(features)
        self.clips = [clip for track in features for clip in track]
        self.first = np.cumsum([0, *(len(track) for track in features)])
        self.frames = np.array([c.shape[1] if kind == "sequence" else 1 for c in self.clips], int)

    def draw(self, rng: np.random.Generator, at_least: int) -> Windows:
        """One random window of a random clip of every track, the tracks in random order.

        Tracks are repeated if there are fewer than ``at_least``.
        """
        order = rng.permutation(self.n_tracks)
        order = np.resize(order, max(at_least, self.n_tracks))
        counts = np.diff(self.first)[order]
        clip = self.first[order] + (rng.random(len(order)) * counts).astype(np.int64)
        room = self.frames[clip] - self.size
        # A clip shorter than the window is repeated, starting anywhere in it.
        room = np.where(room < 0, self.frames[clip] - 1, room)
        return Windows(order, clip, (rng.random(len(order)) * (room + 1)).astype(np.int64))

    def cover(self) -> Windows:
        """The fewest windows, evenly spread, that cover every clip."""
        counts = np.maximum(1, -(-self.frames // self.size))
        clip = np.repeat(np.arange(len(counts)), counts)
        owner = np.repeat(np.arange(self.n_tracks), np.diff(self.first))
        last = np.maximum(0, self.frames - self.size)
        starts = [np.linspace(0, end, n).astype(int) for end, n in zip(last, counts, strict=True)]
        return Windows(owner[clip], clip, np.concatenate(starts))


def window_frames(kind: FeatureKind, training: Training, clips: Sequence[np.ndarray]) -> int:
    """The length of a window: the crop, or the longest clip if that is shorter or the crop is 0."""
    if kind != "sequence":
        return 1
    longest: int = max(clip.shape[1] for clip in clips)
    return max(MIN_WINDOW, min(training.crop_frames or longest, longest))


class DeviceSource:
    """All clips in one tensor on the device."""

    def __init__(self, table: ClipTable, device: torch.device) -> None:
        self.table = table
        self.device = device
        self.offset = torch.from_numpy(table.frames.cumsum() - table.frames).to(device)
        self.frames = torch.from_numpy(table.frames).to(device)
        self.rows = torch.from_numpy(_rows(table)).to(device)
        self.steps = torch.arange(table.size, device=device)

    def batches(self, windows: Windows, parts: Sequence[slice]) -> Iterator[Tensor]:
        """Raw features (window, …) of each part of ``windows``."""
        clip = torch.from_numpy(windows.clip).to(self.device)
        start = torch.from_numpy(windows.start).to(self.device)
        for part in parts:
            yield self._take(clip[part], start[part])

    def _take(self, clip: Tensor, start: Tensor) -> Tensor:
        if self.table.kind != "sequence":
            return self.rows[clip]
        frame = (start[:, None] + self.steps) % self.frames[clip, None]
        taken = self.rows.index_select(0, (self.offset[clip, None] + frame).ravel())
        return taken.view(len(clip), self.table.size, -1).transpose(1, 2)


class DiskSource:
    """Clips read from their memory maps as they are needed, a few batches ahead."""

    def __init__(self, table: ClipTable, device: torch.device) -> None:
        self.table = table
        self.device = device

    def batches(self, windows: Windows, parts: Sequence[slice]) -> Iterator[Tensor]:
        """Raw features (window, …) of each part of ``windows``."""
        waiting: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(READERS) as readers:
            for part in parts:
                waiting.append(readers.submit(self._read, windows, part))
                if len(waiting) > READ_AHEAD:
                    yield self._sent(waiting.popleft().result())
            while waiting:
                yield self._sent(waiting.popleft().result())

    def _read(self, windows: Windows, part: slice) -> Tensor:
        pairs = zip(windows.clip[part], windows.start[part], strict=True)
        batch = torch.from_numpy(np.stack([self._window(c, s) for c, s in pairs]))
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def _window(self, clip: int, start: int) -> np.ndarray:
        feature, size = self.table.clips[clip], self.table.size
        if self.table.kind != "sequence":
            return feature
        if start + size <= feature.shape[1]:
            return feature[:, start : start + size]
        return feature[:, (start + np.arange(size)) % feature.shape[1]]

    def _sent(self, batch: Tensor) -> Tensor:
        return batch.to(self.device, non_blocking=True)


WindowSource = DeviceSource | DiskSource


def source(table: ClipTable, device: torch.device, where: str) -> WindowSource:
    """The features of a table, on the device or on disk; see `Training.features_on`."""
    size = sum(clip.nbytes for clip in table.clips)
    fits = size < SHARE_OF_MEMORY * _free_memory(device)
    on_device = where == "device" or (where == "auto" and fits)
    return DeviceSource(table, device) if on_device else DiskSource(table, device)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def _rows(table: ClipTable) -> np.ndarray:
    """Sequences as (frame, feature), clip after clip; other kinds as (clip, …)."""
    if table.kind != "sequence":
        return np.stack(table.clips)
    dtype = np.result_type(*{clip.dtype for clip in table.clips})
    rows = np.empty((table.frames.sum(), len(table.clips[0])), dtype)  # a frame's values together
    return np.concatenate([clip.T for clip in table.clips], out=rows)
