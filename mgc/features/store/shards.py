"""A shard's file: a safetensors file, written as one stream and read through a memory map.

Its metadata says how each track was heard. A shard may say so of tracks that another one holds.
It also has a checksum of each clip, so that reading one costs no more than that clip, and one of
the header itself.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from mgc.errors import MgcError
from mgc.home import CHANGED, OWN, checksum

SUFFIX = ".safetensors"
ORIGINS, CLIPS, KEYS, SAME = "heard", "clips", "keys", "same"  # keys in the metadata
FILES = "file-sha256-1"  # the keys of shards that do not say: hashes of whole files
BLANK = "00000000"  # stands for the header's own checksum while that is computed
OWN_AT = len(f'{{"__metadata__":{{"{OWN}":"')
DTYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
CODES = {dtype: code for code, dtype in DTYPES.items()}
ALIGNMENT = 8  # bytes; the data begin at a multiple of it
HEADER_BYTES = 100_000_000  # the longest header that safetensors allows
#: Shards mapped at once. A map holds a file descriptor, and a process may have 1,024 of them.
MAPS = 384


class Row(NamedTuple):
    """Where one clip's feature is stored: shard, byte range, shape and type; its checksum is one
    of ``sums``, those of the shard (none if an earlier version wrote it)."""

    shard: Path
    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sums: str
    number: int

    @property
    def checksum(self) -> str:
        """Eight hexadecimal digits, or "" if it is unknown."""
        return self.sums[8 * self.number : 8 * self.number + 8]


class Origin(NamedTuple):
    """How a track was heard: the revision of the rule of hearing, the version of PyAV if it decoded
    the file (else ""; the fingerprint holds libsndfile's), and the length of the track in seconds
    (0 if it is unknown)."""

    hearing: int
    pyav: str = ""
    seconds: float = 0.0


#: Of a track about which no shard says anything: the first version made it.
FIRST = Origin(1)


class DamagedShardError(MgcError):
    """A shard cannot be read; ``name`` is its file's."""

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(
            f"{path} is damaged: {problem}.",
            f"Remove it, and the next fit will recompute it: rm '{path}'",
        )
        self.name = path.name

    def __reduce__(self) -> tuple[type[MgcError], tuple[str, str]]:
        return MgcError, (self.message, self.hint)


class Shard(NamedTuple):
    """What a shard's header says, by audio hash: where clips are, how tracks were heard, and under
    which earlier hash another shard holds them. ``keys`` names the rule of the hashes."""

    rows: dict[str, list[Row]]
    origins: dict[str, Origin]
    same: dict[str, str]
    keys: str


def serialised(
    tracks: Mapping[str, Sequence[np.ndarray]],
    origins: Mapping[str, Origin],
    same: Mapping[str, str],
    keys: str,
) -> Iterator[bytes | memoryview]:
    """A safetensors file in pieces: its header, then each clip's bytes, nothing copied.

    Clips are float16 or float32; float32 comes first, so that every tensor is aligned.
    """
    clips = [
        (f"{audio_hash}.{number}", np.ascontiguousarray(clip))
        for audio_hash, parts in tracks.items()
        for number, clip in enumerate(parts)
    ]
    clips.sort(key=lambda named: -named[1].itemsize)
    sums = "".join(checksum(_bytes(clip)) for _, clip in clips)
    facts = {OWN: BLANK, "mgc": "1", CLIPS: sums, ORIGINS: json.dumps(origins)}
    facts |= {KEYS: keys, SAME: json.dumps(same)}
    header: dict[str, Any] = {"__metadata__": facts}
    end = 0
    for name, clip in clips:
        begin, end = end, end + clip.nbytes
        shape = list(clip.shape)
        header[name] = {"dtype": CODES[clip.dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    yield struct.pack("<Q", len(text)) + _with_own(text, checksum(text))
    for _, clip in clips:
        yield _bytes(clip)


def _bytes(clip: np.ndarray) -> bytes | memoryview:
    return clip.data.cast("B") if clip.size else b""


def _with_own(header: bytes, own: str) -> bytes:
    return header[:OWN_AT] + own.encode() + header[OWN_AT + len(own) :]


def head(file: BinaryIO) -> bytes:
    """The first bytes of a shard, its header included."""
    first = file.read(8)
    return first + file.read(missing(first))


def missing(head: bytes) -> int:
    """Bytes of the header that are missing from the first bytes of a shard; 0 if that cannot be
    told."""
    if len(head) < 8 or _header_length(head) > HEADER_BYTES:
        return 0
    return max(0, 8 + _header_length(head) - len(head))


def _header_length(head: bytes) -> int:
    return int(struct.unpack_from("<Q", head)[0])


def shard(path: Path, head: bytes, size: int) -> Shard:
    """What is in a shard of ``size`` bytes that begins with ``head``.

    Raises DamagedShardError, which names it.
    """
    try:
        data = 8 + _header_length(head)
        if data > len(head):
            raise ValueError("its header is cut off")
        header = json.loads(head[8:data])
        facts = header.pop("__metadata__", {})
        if OWN in facts and checksum(_with_own(head[8:data], BLANK)) != facts[OWN]:
            raise ValueError(f"its header {CHANGED}")
        sums = facts.get(CLIPS, "")
        if len(sums) not in (0, 8 * len(header)):
            raise ValueError("its checksums are not those of its clips")
        rows: dict[str, list[Row]] = {}
        for place, (name, tensor) in enumerate(header.items()):
            audio_hash, _, number = name.rpartition(".")
            begin, end = tensor["data_offsets"]
            if data + end > size:
                raise ValueError("it is cut off")
            shape, dtype = tuple(tensor["shape"]), DTYPES[tensor["dtype"]]
            row = Row(path, data + begin, shape, dtype, sums, place)
            # Each type's clips are in order, so all before this one are there, or follow.
            rows.setdefault(audio_hash, []).insert(int(number), row)
        origins = json.loads(facts.get(ORIGINS, "{}"))
        origins = {key: Origin(*origin) for key, origin in origins.items()}
        return Shard(rows, origins, json.loads(facts.get(SAME, "{}")), facts.get(KEYS, FILES))
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise DamagedShardError(path, error) from error


def view(row: Row) -> np.ndarray:
    """A clip's feature as a read-only array on mapped memory."""
    count = int(np.prod(row.shape, dtype=np.int64))
    try:
        return np.frombuffer(_mapped(row.shard), row.dtype, count, row.begin).reshape(row.shape)
    except OSError:  # readers hold too many maps: copy
        with open(row.shard, "rb") as file:
            file.seek(row.begin)
            return np.frombuffer(file.read(count * row.dtype.itemsize), row.dtype).reshape(
                row.shape
            )


def is_intact(row: Row) -> bool:
    """Whether a clip's feature is as it was written, as far as that can be told."""
    return not row.checksum or checksum(_bytes(view(row))) == row.checksum


def unmap() -> None:
    """Forget the maps, because a shard was replaced."""
    _mapped.cache_clear()


@lru_cache(maxsize=MAPS)
def _mapped(shard: Path) -> mmap.mmap:
    with open(shard, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
