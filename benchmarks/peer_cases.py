"""One case of `benchmarks.peers`, in a process of its own: what is written, and how it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.peers import DATASETS, FLOOR, LHOTSE, OURS, PLAIN

RATE, N_FFT, HOP, MELS, CROP, READS = 22_050, 2048, 512, 128, 256, 10
CORES = len(os.sched_getaffinity(0))
#: Reads some frames of a clip: its number, the first, and how many (None: all).
Reader = Callable[[int, int, int | None], Any]


def write(case: str, music: str, folder: str) -> None:
    """Make what a case makes of all files, below a folder."""
    _WRITERS[case](sorted(Path(music).iterdir()), Path(folder))


def read(case: str, music: str, folder: str) -> None:
    """Open it, read all clips `READS` times in random order, and print the figures as JSON."""
    paths = sorted(Path(music).iterdir())
    begun = perf_counter()
    reader = _READERS[case](paths, Path(folder))
    found = {"opened": perf_counter() - begun}
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(paths)), READS)).tolist()
    for figure, first, count in (("whole clips", 0, None), ("crops", 500, CROP)):
        begun = perf_counter()
        shapes = {np.array(reader(number, first, count)).shape for number in order}
        found[figure] = len(order) / (perf_counter() - begun)
        if not all(
            MELS in shape and (sum(shape) - MELS == CROP) == bool(count) for shape in shapes
        ):
            raise RuntimeError(f"{case} reads {shapes}")
    print(json.dumps(found))


def _decode(paths: list[Path], _: Path) -> None:
    import soundfile

    with ThreadPoolExecutor(CORES) as threads:
        for _wave in threads.map(lambda path: soundfile.read(path, dtype="float32"), paths):
            pass


def _log_mel(path: Path) -> np.ndarray:
    """(band, frame) float16."""
    import librosa

    wave, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=MELS)
    return librosa.power_to_db(mel).astype(np.float16)


def _saved(path: Path, folder: Path) -> None:
    np.save(folder / f"{path.stem}.npy", _log_mel(path))


def _save(paths: list[Path], folder: Path) -> None:
    with ProcessPoolExecutor(CORES) as processes:
        for _ in processes.map(_saved, paths, [folder] * len(paths)):
            pass


def _loaded(paths: list[Path], folder: Path) -> Reader:
    def reader(number: int, first: int, count: int | None) -> np.ndarray:
        clip = np.load(folder / f"{paths[number].stem}.npy", mmap_mode="r")
        return clip[:, first : count and first + count]

    return reader


def _mgc_store(paths: list[Path], _: Path) -> Reader:
    from mgc.features import file_hashes
    from mgc.features.extractor_spec import ExtractorSpec

    store, keys = ExtractorSpec("mel").store, file_hashes.hashes(paths)
    assert all(key in store for key in keys)
    return lambda number, first, count: store.read(keys[number])[0][
        :, first : count and first + count
    ]


def _lhotse(paths: list[Path], folder: Path) -> None:
    import torch
    from lhotse import CutSet, LibrosaFbank, LibrosaFbankConfig, MonoCut, Recording

    torch.set_num_threads(1)
    config = LibrosaFbankConfig(RATE, N_FFT, HOP, None, "hann", MELS, 0, RATE // 2)
    cuts = CutSet.from_cuts(
        MonoCut(path.stem, 0, one.duration, 0, recording=one).resample(RATE)
        for path in paths
        for one in [Recording.from_file(path, recording_id=path.stem)]
    )
    cuts = cuts.compute_and_store_features(LibrosaFbank(config), folder / "features", CORES)
    cuts.to_file(folder / "cuts.jsonl.gz")


def _lhotse_cuts(paths: list[Path], folder: Path) -> Reader:
    from lhotse import CutSet

    by_name = {cut.recording_id: cut for cut in CutSet.from_file(folder / "cuts.jsonl.gz")}
    cuts = [by_name[path.stem] for path in paths]

    def reader(number: int, first: int, count: int | None) -> Any:
        cut = cuts[number]
        if count is not None:
            cut = cut.truncate(offset=first * HOP / RATE, duration=count * HOP / RATE)
        return cut.load_features()

    return reader


def _mapped(row: dict[str, Any]) -> dict[str, Any]:
    return {"mel": _log_mel(Path(row["path"])).T}


def _dataset(paths: list[Path], folder: Path) -> None:
    from datasets import Array2D, Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()
    columns = Features({"path": Value("string"), "mel": Array2D((None, MELS), "float16")})
    rows = Dataset.from_dict({"path": [str(path) for path in paths]})
    made = rows.map(_mapped, features=columns, num_proc=CORES, writer_batch_size=32)
    made.save_to_disk(folder / "features")


def _dataset_rows(_: list[Path], folder: Path) -> Reader:
    from datasets import load_from_disk

    rows = load_from_disk(folder / "features").with_format("numpy")
    return lambda number, first, count: rows[number]["mel"][first : count and first + count]


_WRITERS = {FLOOR: _decode, PLAIN: _save, LHOTSE: _lhotse, DATASETS: _dataset}
_READERS = {OURS: _mgc_store, PLAIN: _loaded, LHOTSE: _lhotse_cuts, DATASETS: _dataset_rows}
