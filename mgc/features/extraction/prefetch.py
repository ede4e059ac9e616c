"""An iterator whose items are made in a thread, so that maker and user do not wait."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()
_MOMENT = 0.2  # seconds; how late a stop is noticed


def prefetched(items: Iterator[T], depth: int, stopping: Event) -> Iterator[T]:
    """``items``, of which at most ``depth`` are made before they are used.

    What the iterator raises is raised here. When the user of this one stops early, ``stopping``
    is set, which the iterator is expected to heed.
    """
    queue: Queue[Any] = Queue(depth)
    thread = Thread(target=_fill, args=(items, queue, stopping), daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=_MOMENT)  # so that Ctrl-C is heard
            except Empty:
                continue
            if item is _END:
                return
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stopping.set()
        thread.join()


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _fill(items: Iterator[T], queue: Queue[Any], stopping: Event) -> None:
    try:
        for item in items:
            _put(queue, item, stopping)
            if stopping.is_set():
                break
        _put(queue, _END, stopping)
    except BaseException as error:
        _put(queue, _Raised(error), stopping)
    finally:
        close = getattr(items, "close", None)
        if close:
            close()


def _put(queue: Queue[Any], item: object, stopping: Event) -> None:
    while not stopping.is_set():
        try:
            return queue.put(item, timeout=_MOMENT)
        except Full:
            continue
    return None
