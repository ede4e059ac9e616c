"""Messages between processes: a JSON value, and the arrays in it as raw bytes."""

from __future__ import annotations

import builtins
import json
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import numpy as np

from mgc.errors import MgcError


def send(link: Connection, value: Any) -> None:
    """Send a JSON value, which may hold arrays. Raises OSError if nobody is listening any more."""
    arrays: list[np.ndarray] = []

    def describe(array: np.ndarray) -> dict[str, Any]:
        arrays.append(array)
        return {"dtype": array.dtype.str, "shape": array.shape}

    link.send_bytes(json.dumps(value, default=describe).encode())
    for array in arrays:
        if array.size:
            link.send_bytes(np.ascontiguousarray(array).data.cast("B"))


def receive(link: Connection) -> Any:
    """Wait for one message. Raises EOFError or OSError if the other process is gone."""
    arrays: list[np.ndarray] = []

    def allocate(record: dict[str, Any]) -> Any:
        if record.keys() != {"dtype", "shape"}:
            return record
        arrays.append(np.empty(record["shape"], record["dtype"]))
        return arrays[-1]

    value = json.loads(link.recv_bytes(), object_hook=allocate)
    for array in arrays:
        if array.size:
            link.recv_bytes_into(array.data.cast("B"))
    return value


def described(error: BaseException) -> dict[str, Any]:
    """An error as a message, for `raise_error` in the other process."""
    if isinstance(error, MgcError):
        return {"error": error.message, "hint": error.hint}
    return {"error": str(error), "type": type(error).__name__}


def raise_error(record: dict[str, Any]) -> NoReturn:
    """Raise the error that `described` recorded; built-in errors keep their type."""
    if "hint" in record:
        raise MgcError(record["error"], record["hint"])
    kind = getattr(builtins, record["type"], None)
    if kind in (ValueError, TypeError, RuntimeError, MemoryError, OSError):
        raise kind(record["error"])
    raise RuntimeError(f"{record['type']}: {record['error']}".removesuffix(": "))
