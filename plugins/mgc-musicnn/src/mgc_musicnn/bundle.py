"""Reads TensorFlow's checkpoint bundles (``.index`` and ``.data``) without TensorFlow.

``.index`` is an uncompressed LevelDB table from a tensor's name to a BundleEntryProto: its type,
shape, offset and size in ``.data`` (tensorflow/core/protobuf/tensor_bundle.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

FOOTER = 48  # bytes
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FLOAT = 1  # DT_FLOAT
SIZE, SHAPE, OFFSET, TYPE = 5, 2, 4, 1  # fields of BundleEntryProto
DIMENSION = 2  # field of TensorShapeProto; its own field 1 is the size


def read(index: bytes, data: bytes) -> Mapping[str, np.ndarray]:
    """The float32 tensors of a bundle by name. Raises ValueError if it is damaged."""
    if index[-len(MAGIC) :] != MAGIC:
        raise ValueError("the index is not a LevelDB table")
    try:
        _, at = _handle(index, len(index) - FOOTER)  # of the metaindex, which is empty
        (start, size), _ = _handle(index, at)
        found = {}
        for _, place in _entries(index[start : start + size]):
            (start, size), _ = _handle(place, 0)
            for key, value in _entries(index[start : start + size]):
                entry = _fields(value)
                if key and entry.get(TYPE) == [FLOAT]:
                    found[key.decode()] = _tensor(entry, data)
        return found
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"the index is damaged ({error})") from error


def _tensor(entry: Mapping[int, list[Any]], data: bytes) -> np.ndarray:
    shape = [_fields(d).get(1, [0])[0] for d in _fields(entry[SHAPE][0]).get(DIMENSION, [])]
    array = np.frombuffer(data, "<f4", entry[SIZE][0] // 4, entry.get(OFFSET, [0])[0])
    return array.reshape(shape)


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block; a key is stored without the prefix it shares with the one
    before it, and the block ends with the places of whole keys and their number."""
    (restarts,) = struct.unpack("<I", block[-4:])
    at, key, end = 0, b"", len(block) - 4 * (restarts + 1)
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + size]
        at += own + size


def _handle(block: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where a block is: (offset, size), and where the handle ends."""
    offset, at = _varint(block, at)
    size, at = _varint(block, at)
    return (offset, size), at


def _fields(message: bytes) -> dict[int, list[Any]]:
    """The fields of a protocol buffer by number: varints and bytes as they are."""
    found: dict[int, list[Any]] = {}
    value: Any
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
        elif tag & 7 == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:  # 32 bits: the checksum
            value, at = message[at : at + 4], at + 4
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(block: bytes, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = block[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
