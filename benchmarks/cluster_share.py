"""What passes through the process that starts an extraction on Ray, with the features on S3.

Three nodes of a Ray cluster and an S3 server (moto) on this machine. The process that starts the
extraction is connected to a fourth node, which works on nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.music import multiplied
from benchmarks.timing import Row, Section

EXTRACTORS = ("mel", "mfcc", "chroma")
NODES = 3
BUCKET = "bench"
OURS, CONTROL, KILLED = CASES = (
    "nodes write the shards",
    "features come back",
    "nodes write the shards, one is killed",
)
TEXT = (
    "Bytes that the process which starts `mgc features extract mel mfcc chroma --on ray` sends to "
    "other machines and receives from them by TCP (`ss`), with those of the node that it is "
    f"connected to, and the cluster's own messages. {NODES} more nodes do the work. The store is on"
    " S3 (moto). Of features that come back, nodes are told that they do not see the store."
)
Ends = tuple[str, str]  # addresses of a TCP connection


def measure(paths: list[Path], scratch: Path, files: int) -> Section:
    """All cases once, each into a prefix of its own. Raises RuntimeError if the stores differ."""
    music = multiplied(paths, scratch / "spread", files)
    rows, stores = [], {}
    with _object_store() as objects, _cluster(scratch) as cluster:
        for number, case in enumerate(CASES):
            root = f"{BUCKET}/{number}"
            sent, received = _passed(cluster, music[0].parent, root, case, scratch)
            made = {path: objects.cat_file(path) for path in objects.find(root)}
            stores[case] = {path.removeprefix(root): made[path] for path in made}
            share = (sent + received) / sum(map(len, made.values()))
            note = f"{share:.2%}: sent {sent / 1e6:.2f} MB, received {received / 1e6:.2f} MB"
            rows.append(Row(case, (sent + received) / 1e6, "MB", None, None, share, "store", note))
    if stores[OURS] != stores[KILLED]:
        raise RuntimeError("A killed node changed the store.")
    total = sum(map(len, stores[OURS].values()))
    rows.append(Row("store", total / 1e6, "MB", note=f"{len(stores[OURS])} objects"))
    return Section("Network of a cluster's driver", TEXT, rows, {"clips": files, "nodes": NODES})


def drive(folder: str, case: str) -> None:
    """Extract on the cluster that `RAY_ADDRESS` names, then wait: the sockets stay open."""
    import ray

    from mgc.features.extraction import extract, ray_shards
    from mgc.features.extractor_spec import ExtractorSpec

    @contextmanager
    def unseen() -> Iterator[None]:
        yield None

    if case == CONTROL:
        ray_shards._token = unseen
    ray.init(log_to_driver=False, logging_level="ERROR")
    done = extract(sorted(Path(folder).iterdir()), [*map(ExtractorSpec, EXTRACTORS)], on="ray")
    node = ray.get_runtime_context().get_node_id()
    print(json.dumps({"node": node, "made": done.made, "failed": len(done.failures)}), flush=True)
    sys.stdin.read()


def _passed(cluster: Any, folder: Path, root: str, case: str, scratch: Path) -> tuple[int, int]:
    """Bytes that a driver, and its node for it, send to other machines and receive from them."""
    home = scratch / root.replace("/", "-")
    own = {"MGC_HOME": str(home), "MGC_FEATURES": f"s3://{root}", "RAY_ADDRESS": cluster.address}
    code = f"from benchmarks import cluster_share as c; c.drive({str(folder)!r}, {case!r})"
    victims = cluster.workers if case == KILLED else []
    raylet = cluster.head_node.all_processes["raylet"][0].process.pid
    with _Gate(os.environ["AWS_ENDPOINT_URL"]) as gate:
        driver = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **own, "AWS_ENDPOINT_URL": gate.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert driver.stdout
        os.set_blocking(driver.stdout.fileno(), False)
        before = _sockets({raylet}, gate.url)
        passed: dict[Ends, tuple[int, int]] = {}
        # Ray tells of a lost node there too.
        while not (said := driver.stdout.readline()).startswith("{") and driver.poll() is None:
            passed |= _sockets({driver.pid, raylet}, gate.url)
            if victims and (busy := [*filter(has_open_shard, victims)]):
                cluster.remove_node(busy[0], allow_graceful=False)
                victims = []
            time.sleep(0.1)
        passed |= _sockets({driver.pid, raylet}, gate.url)
        driver.communicate()
    done = json.loads(said or "{}")
    if done.get("node") != cluster.head_node.node_id or done["failed"] or victims:
        raise RuntimeError(f"The driver did not do what it should: {said}")
    now, then = passed.values(), [before.get(ends, (0, 0)) for ends in passed]
    sent, received = (
        sum(one[way] for one in now) - sum(one[way] for one in then) for way in (0, 1)
    )
    return gate.sent + sent, gate.received + received


class _Gate(socketserver.ThreadingTCPServer):
    """Passes on what goes to a server and what comes back, and counts it: an object store's
    connections may be too short for `ss`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.there = host, int(port)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.sent = self.received = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with socket.create_connection(self.there) as there:
            back = threading.Thread(target=self._pass_on, args=(there, request, "received"))
            back.start()
            self._pass_on(request, there, "sent")
            back.join()

    def _pass_on(self, one: socket.socket, other: socket.socket, way: str) -> None:
        with suppress(OSError):
            while piece := one.recv(1 << 16):
                setattr(self, way, getattr(self, way) + len(piece))
                other.sendall(piece)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def _sockets(pids: set[int], gate: str) -> dict[Ends, tuple[int, int]]:
    """Each TCP socket of these processes → bytes sent and received, but for those to each other
    and to the gate."""
    said = subprocess.run(["ss", "-tinpOH"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in said.splitlines():
        here, there = line.split()[3:5]
        if pids & {int(pid) for pid in re.findall(r"pid=(\d+)", line)} and there != gate[7:]:
            counts = (
                re.search(rf"{name}:(\d+)", line) for name in ("bytes_sent", "bytes_received")
            )
            sent, received = (int(count[1]) if count else 0 for count in counts)
            found[here, there] = sent, received
    return {ends: counts for ends, counts in found.items() if ends[::-1] not in found}


def has_open_shard(node: Any) -> bool:
    """Whether a worker of a node makes a shard: Ray calls the process so."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    for process in raylet.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[:1] == ["ray::do_shard"]:
                return True
    return False


@contextmanager
def _object_store() -> Iterator[Any]:
    """An S3 server, which this process and those that it starts use; as fsspec's file system."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        import fsspec

        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.mkdir(BUCKET)
        yield files
    finally:
        server.stop()


@contextmanager
def _cluster(scratch: Path) -> Iterator[Any]:
    """A head without a core, and nodes with one each, whose home is not the driver's."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "MGC_HOME": str(scratch / "nodes")}
    memory = {"object_store_memory": 200 << 20}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory}
    )
    try:
        cluster.workers = [cluster.add_node(num_cpus=1, **memory) for _ in range(NODES)]
        yield cluster
    finally:
        cluster.shutdown()
