"""Messages between processes over a socket: a JSON record and arrays as raw bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_LENGTH = struct.Struct("<I")


class Message(NamedTuple):
    """What was sent."""

    record: dict[str, Any]
    arrays: list[np.ndarray]


def send(to: socket.socket, record: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Send one message. Raises OSError where nobody listens any more."""
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    text = json.dumps({"record": record, "arrays": shapes}).encode()
    to.sendall(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        if array.size:
            to.sendall(np.ascontiguousarray(array).data.cast("B"))


def receive(source: socket.socket) -> Message:
    """Wait for one message. Raises EOFError where the other side is gone, OSError on a time-out."""
    (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    content = json.loads(_exactly(source, length))
    arrays = []
    for dtype, shape in content["arrays"]:
        array: np.ndarray = np.empty(shape, dtype)
        if array.size:
            _fill(source, array.data.cast("B"))
        arrays.append(array)
    return Message(content["record"], arrays)


def _exactly(source: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    _fill(source, memoryview(buffer))
    return buffer


def _fill(source: socket.socket, buffer: memoryview) -> None:
    while buffer:
        count = source.recv_into(buffer)
        if not count:
            raise EOFError("the other process is gone")
        buffer = buffer[count:]
