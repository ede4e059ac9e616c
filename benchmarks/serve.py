"""``python -m benchmarks.serve RUN MUSIC``: what `mgc serve` answers a second, on this machine.

30 s mp3s by 1, 8 and 64 clients over the loopback, against a bare loop of ``mgc.load(RUN).predict``
in one process, which is measured right before and after each; the server's memory meanwhile; and
what it does under overload. Prints a table in Markdown. Needs mgc-serve.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import mean, quantiles
from urllib.request import urlopen

import psutil

import mgc

ALONE = 100  # requests of a single client, each after the same file in the bare loop
LOADS = {8: 900, 64: 1000}  # clients → requests; with those of the single one 2,100
BARE = 60  # files of a bare loop
SERVER = (
    "import sys; from mgc_serve.serve import run_server; from mgc_serve.settings import Settings; "
    "run_server(Settings(port=0, run=sys.argv[1], max_requests=int(sys.argv[2])))"
)


class Server:
    """A server in a process of its own, and its memory."""

    def __init__(self, run: str, max_requests: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, run, str(max_requests)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2].strip("/\n"))
        # A new server reads the figures of all runs ahead, which takes a second of a worker each.
        urlopen(f"http://127.0.0.1:{self.port}/v1/runs").read()

    def memory(self) -> tuple[float, float]:
        """MiB that the server's process has, and the largest of its workers."""
        own = psutil.Process(self.process.pid)
        workers = [child.memory_info().rss for child in own.children(recursive=True)]
        return own.memory_info().rss / 2**20, max(workers) / 2**20


@contextmanager
def serving(run: str, max_requests: int = 128) -> Iterator[Server]:
    """A server that has answered once."""
    server = Server(run, max_requests)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


def connected(port: int) -> http.client.HTTPConnection:
    """A connection of a client."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=600)


def ask(
    port: int, body: bytes, kept: http.client.HTTPConnection | None = None
) -> tuple[int, float, str]:
    """The status of one request, the seconds it took, and after how many to try again; by a
    connection of its own or one that is ``kept``."""
    began = time.perf_counter()
    link = kept or connected(port)
    link.request("POST", "/v1/predict", body, {"Content-Type": "audio/mpeg"})
    answer = link.getresponse()
    answer.read()
    if not kept:
        link.close()
    return answer.status, time.perf_counter() - began, answer.headers.get("Retry-After", "")


def bare(run: str, paths: Sequence[Path]) -> float:
    """Files a second of the bare loop."""
    model = mgc.load(run, device="cpu")
    model.predict(paths[0])
    began = time.perf_counter()
    for path in islice(cycle(paths), BARE):
        model.predict(path)
    return BARE / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("music", type=Path)
    asked = parser.parse_args()
    paths = sorted(asked.music.rglob("*.mp3"))
    bodies = [path.read_bytes() for path in paths]
    print(f"{len(paths)} files; server and clients share {psutil.cpu_count()} cores\n")
    print("| clients | requests/s | of the bare loop | p50 ms | p95 ms | p99 ms | memory MiB |")
    print("|---|---|---|---|---|---|---|")
    with serving(asked.run) as server:
        ask(server.port, bodies[0])
        _alone(server, asked.run, paths)
        loop = [bare(asked.run, paths)]
        for clients, count in LOADS.items():
            _row(server, clients, count, bodies, loop, asked.run, paths)
    _overload(asked.run, bodies)


def _alone(server: Server, run: str, paths: Sequence[Path]) -> None:
    """One client, which takes turns with the bare loop: one file each, sent by a new connection
    and by one that it keeps, as programs do."""
    model = mgc.load(run, device="cpu")
    model.predict(paths[0])
    loop, memory, kept = 0.0, server.memory(), connected(server.port)
    times: dict[str, list[float]] = {"1, new connections": [], "1": []}
    for path in islice(cycle(paths), ALONE):
        began = time.perf_counter()
        model.predict(path)
        loop += time.perf_counter() - began
        body = path.read_bytes()
        times["1, new connections"].append(ask(server.port, body)[1])
        times["1"].append(ask(server.port, body, kept)[1])
    kept.close()
    for how, own in times.items():
        _print(how, ALONE / sum(own), ALONE / loop, own, (memory, server.memory()))


def _print(
    clients: int | str,
    rate: float,
    loop: float,
    times: Sequence[float],
    memory: Sequence[tuple[float, float]],
) -> None:
    cuts = quantiles([1e3 * seconds for seconds in times], n=100)
    grown = " → ".join(f"{own:.0f} + {worker:.0f}" for own, worker in (memory[0], memory[-1]))
    print(
        f"| {clients} | {rate:.1f} | {rate / loop:.2f} ({loop:.1f}/s) | "
        f"{cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} | {grown} |",
        flush=True,
    )


def _row(
    server: Server,
    clients: int,
    count: int,
    bodies: Sequence[bytes],
    loop: list[float],
    run: str,
    paths: Sequence[Path],
) -> None:
    memory = [server.memory()]
    began = time.perf_counter()
    answers = []
    with ThreadPoolExecutor(clients) as threads:
        sent = threads.map(lambda body: ask(server.port, body), islice(cycle(bodies), count))
        for number, answer in enumerate(sent):
            answers.append(answer)
            if number % 250 == 249:
                memory.append(server.memory())
    rate = count / (time.perf_counter() - began)
    loop.append(bare(run, paths))
    assert {status for status, _, _ in answers} == {200}
    times = [seconds for _, seconds, _ in answers]
    _print(clients, rate, mean(loop[-2:]), times, memory)


def _overload(run: str, bodies: Sequence[bytes]) -> None:
    """64 clients at a server that takes 8."""
    with serving(run, max_requests=8) as server:
        ask(server.port, bodies[0])
        with ThreadPoolExecutor(64) as threads:
            sent = threads.map(lambda body: ask(server.port, body), islice(cycle(bodies), 256))
            answers = list(sent)
        after = ask(server.port, bodies[0])
    said = Counter(status for status, _, _ in answers)
    waits = sorted({int(wait) for status, _, wait in answers if status == 503})
    print(f"\nOverload: {json.dumps(said)}, Retry-After {waits}; afterwards {after[0]}")


if __name__ == "__main__":
    main()
