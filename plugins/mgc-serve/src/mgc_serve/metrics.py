"""Counters for Prometheus, in its text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds of a request
PREFIX = "mgc_serve_"

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters by name and labels; every thread may add."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kinds: dict[str, tuple[str, str]] = {}
        self._values: dict[str, Counter[Labels]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}
        self._declare("requests_total", "counter", "Requests by path, method and status.")
        self._declare("files_total", "counter", "Files by outcome: answered, unusable.")
        self._declare("refused_total", "counter", "Requests refused because too much is in hand.")
        self._declare("batches_total", "counter", "Batches that the models answered.")
        self._declare("batched_files_total", "counter", "Files in those batches.")
        self._declare("request_seconds", "histogram", "Seconds of a request.")

    def _declare(self, name: str, kind: str, about: str) -> None:
        self._kinds[name] = kind, about
        self._values[name] = Counter()

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Declare a figure that is looked up when it is asked for."""
        self._kinds[name] = "gauge", about
        self._gauges[name] = value

    def add(self, metric: str, count: float = 1, **labels: str) -> None:
        """Count something."""
        with self._lock:
            self._values[metric][tuple(labels.items())] += count  # type: ignore[assignment]

    def observe(self, seconds: float, **labels: str) -> None:
        """Note how long a request took."""
        own = tuple(labels.items())
        with self._lock:
            found = self._values["request_seconds"]
            for bucket in (*BUCKETS, float("inf")):
                limit = "+Inf" if bucket == float("inf") else f"{bucket:g}"
                found[("", "_bucket"), *own, ("le", limit)] += seconds <= bucket
            found[("", "_sum"), *own] += seconds  # type: ignore[assignment]
            found[("", "_count"), *own] += 1

    def text(self) -> str:
        """All of them as Prometheus reads them."""
        lines = []
        with self._lock:
            for name, (kind, about) in self._kinds.items():
                lines += [f"# HELP {PREFIX}{name} {about}", f"# TYPE {PREFIX}{name} {kind}"]
                if name in self._gauges:
                    lines.append(f"{PREFIX}{name} {self._gauges[name]():g}")
                for labels, value in self._values.get(name, Counter()).items():
                    lines.append(_line(name, labels, value))
        return "\n".join(lines) + "\n"


def _line(name: str, labels: Labels, value: float) -> str:
    suffix = next((text for key, text in labels if not key), "")
    own = ",".join(f'{key}="{text}"' for key, text in labels if key)
    return f"{PREFIX}{name}{suffix}{'{' + own + '}' if own else ''} {value:.10g}"
