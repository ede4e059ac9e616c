"""What a feature store costs with 1,000 to 1,000,000 tracks: opening, looking up, reading."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.timing import Row, Section

SIZES = (1_000, 10_000, 100_000, 1_000_000)
READS = 5_000
TEXT = (
    "Tracks of one clip of 4 × 8 float16, in shards of 32, made up: what is measured is what each "
    "track and shard costs, not their bytes. Each size is a process of its own; what it needed at "
    "most is given as its peak. Seconds are the processor's, with files in the"
    " page cache. An exponent of 1 is cost in "
    "proportion to the number of tracks; of reads, each of which is one track, it is 0."
)
FIGURES = {
    "opened without an index": "s",
    "opened": "s",
    "all looked up": "s",
    "one read at random": "s",
    "peak": "MB",
}


def measure(scratch: Path, turns: int, most: int) -> Section:
    """All sizes up to ``most`` tracks."""
    sizes = [size for size in SIZES if size <= most]
    found = {size: _in_a_process(scratch / f"store-{size}", size, turns) for size in sizes}
    rows = []
    for name, unit in FIGURES.items():
        values = {size: median(found[size][name]) for size in sizes}
        slope = np.polyfit(np.log([*values]), np.log([*values.values()]), 1)[0]
        for size, value in values.items():
            note = f"exponent {slope:.2f}" if size == sizes[-1] and unit == "s" else ""
            low, high = min(found[size][name]), max(found[size][name])
            rows.append(Row(f"{name}, {size:,} tracks", value, unit, low, high, note=note))
    return Section("A store of many tracks", TEXT, rows, {"turns": turns, "reads": READS})


def _in_a_process(root: Path, size: int, turns: int) -> dict[str, list[float]]:
    code = f"from benchmarks import scale_store as s; s.report({str(root)!r}, {size}, {turns})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def report(root: str, size: int, turns: int) -> None:
    """Make a store, measure it, and print the figures as JSON."""
    from mgc.features.store import FeatureStore
    from mgc.features.store.shard_index import INDEX

    keys = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(size)]
    identity = {"size": size}
    store = FeatureStore("bench", identity, root)
    _fill(store.folder, keys)
    times: dict[str, list[float]] = {name: [] for name in FIGURES}
    for turn in range(turns):
        (store.folder / INDEX).unlink(missing_ok=True)
        for name in ("opened without an index", "opened"):
            store = FeatureStore("bench", identity, root)
            times[name].append(_seconds(getattr, store, "rows"))
        times["all looked up"].append(_seconds(store.rows.current, keys))
        some = np.random.default_rng(turn).choice(keys, READS).tolist()
        times["one read at random"].append(_seconds(list, map(store.read, some)) / READS)
    status = Path("/proc/self/status").read_text()
    times["peak"] = [int(status.partition("VmHWM:")[2].split()[0]) / 1e3]
    print(json.dumps(times))


def _fill(folder: Path, keys: list[str]) -> None:
    """Write shards as a store does, without syncing each."""
    from mgc.audio.sound_hash import SCHEME
    from mgc.audio.sound_length import HEARING_REVISION
    from mgc.features.store import Origin, shards

    folder.mkdir(parents=True)
    clip = np.zeros((4, 8), np.float16)
    for first in range(0, len(keys), 32):
        tracks = {key: [clip] for key in keys[first : first + 32]}
        heard = dict.fromkeys(tracks, Origin(HEARING_REVISION, "", 30.0))
        content = b"".join(shards.serialised(tracks, heard, {}, SCHEME))
        (folder / f"{keys[first][:24]}{shards.SUFFIX}").write_bytes(content)


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    """Of the processor: other processes on the machine disturb them least."""
    begun = time.process_time()
    work(*arguments)
    return time.process_time() - begun
