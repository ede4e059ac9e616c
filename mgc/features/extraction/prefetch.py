"""An iterator that makes its items in a thread, so that producer and consumer overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")


def prefetched(items: Generator[T, None, None], depth: int, stopping: Event) -> Iterator[T]:
    """Iterate over ``items``, at most ``depth`` of which are made ahead.

    Exceptions from the generator are raised here. If the consumer stops early, ``stopping``
    is set, which the generator is expected to check.
    """
    end: Any = object()
    with closing(items), ThreadPoolExecutor(1, "prefetch") as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, items, end))
                yield item
        finally:
            stopping.set()
            thread.shutdown(wait=False, cancel_futures=True)
