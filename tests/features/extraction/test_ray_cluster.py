"""Extraction on a Ray cluster: three nodes on this machine, equal to the local result."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.cluster_share import has_open_shard
from mgc.audio.sound_hash import sound_hash
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction import extract, features_of, jobs, ray_shards, shard_writer
from mgc.features.extraction import ray_cluster as cluster_module
from mgc.features.extraction.jobs import ExtractionJob, ExtractionPlan
from mgc.features.extraction.ray_cluster import Cluster
from tests.features.extraction.hostile import NAN, SEGFAULT, hostile, install, told
from tests.features.extraction.test_extract import shards, sources
from tests.sounds import album

ray = pytest.importorskip("ray", reason="the extra mgc-music[ray] is not installed")
cluster_utils = pytest.importorskip("ray.cluster_utils")
__all__ = ["hostile"]
#: A dead node is known soon, and a slow one is not taken for dead.
PATIENT = {"health_check_period_ms": 500, "health_check_timeout_ms": 600_000}
PATIENT |= {"worker_register_timeout_seconds": 600}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of plug-ins that every node has."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    return folder


@pytest.fixture(scope="module")
def cluster(site: Path) -> Iterator[Any]:
    """Three nodes with a core each; one of the tests kills one."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), *([before] if before else [])])
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": 200 << 20}
    made = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={**node, "include_dashboard": False, "_system_config": PATIENT},
    )
    try:
        made.node = node
        made.others = [_added(made) for _ in range(2)]
        yield made
    finally:
        made.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _added(made: Any) -> Any:
    """Another node, however long it takes to start."""
    node = made.add_node(wait=False, **made.node)
    made._wait_for_node(node, timeout=600)
    return node


@pytest.fixture(scope="module")
def driver(cluster: Any) -> Iterator[Any]:
    """One connection for all tests: every new one starts new workers."""
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()


@pytest.fixture
def connected(driver: Any, mgc_home: Path) -> Any:
    return driver


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bytes that one process on this machine makes."""

    def make(paths: list[Path], *names: str) -> dict[str, bytes]:
        with monkeypatch.context() as patched:
            patched.setenv("MGC_HOME", str(tmp_path / "local home"))
            extract(paths, sources(*names), workers=1)
            return shards(sources(*names))

    return make


def test_one_node_of_three_is_killed(connected: Any, tmp_path: Path, local: Any) -> None:
    paths = album(tmp_path / "music", 130, seconds=3.0)
    (tmp_path / "music" / "0077.wav").write_text("no music")
    over = threading.Event()

    def kill() -> None:
        while not (busy := [*filter(has_open_shard, connected.others)]):
            if over.wait(0.02):
                return
        connected.others.remove(busy[0])
        connected.remove_node(busy[0], allow_graceful=False)

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        done = extract(paths, sources(), on="ray")
        over.set()
        killed.result()
    assert len(connected.others) == 1
    assert (done.made, len(done.failures)) == (129, 1)
    assert "does not decode" in done.failures[0].reason
    assert shards(sources()) == local(paths)
    connected.others.append(_added(connected))


def test_nodes_put_shards_into_the_store_themselves(
    connected: Any, tmp_path: Path, local: Any
) -> None:
    """What comes back to this process holds no features."""
    paths = album(tmp_path / "music", 70, seconds=1.0)
    (tmp_path / "music" / "0011.wav").write_text("no music")
    (tmp_path / "music" / "0066.wav").write_bytes(paths[2].read_bytes())
    out = list(Cluster(sources(), "ray", 32).run(ExtractionPlan(paths, sources()).jobs()))
    assert [job.path for job, _ in out] == paths
    sizes = {job.path.stem: answer.stored_bytes for job, answer in out if job.wanted}
    assert sizes.pop("0011") == 0
    assert min(filter(None, sizes.values())) > 10_000
    assert None not in sizes.values()
    assert sum(array.nbytes for _, answer in out for array in answer.arrays) == 0
    assert out[11][1].reason.startswith(f"{paths[11]}: does not decode")
    assert shards(sources()) == local(paths)
    store = sources()[0].store.folder
    assert not list(store.parent.glob(".shared-*"))
    again = extract(paths, sources(), on="ray")
    assert (again.made, again.found, len(again.failures)) == (0, 69, 1)


def test_nodes_read_the_files_and_make_large_shards_on_an_object_store(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path / "music", 70, seconds=1.0)
    (tmp_path / "music" / "0066.wav").write_bytes(paths[2].read_bytes())
    extract(paths, sources("mel"), workers=1)
    expected = {sha: rows[0].tobytes() for sha, rows in _stored(paths)}

    def unwanted(path: Path) -> str:
        raise AssertionError(f"This process reads {path}.")

    monkeypatch.setenv("MGC_FEATURES", f"file://{tmp_path}/objects")
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another home"))
    (tmp_path / "objects" / sources("mel")[0].store.folder.name).mkdir(parents=True)
    monkeypatch.setattr(jobs, "sound_hash", unwanted)
    monkeypatch.setattr(Cluster, "_window", lambda _: 1)  # a small cluster: two shards' files each
    done = extract(paths, sources("mel"), on="ray")
    assert (done.made, done.found, done.failures) == (69, 1, [])
    assert len(list(tmp_path.glob("objects/*/*.safetensors"))) == 2
    assert {sha: rows[0].tobytes() for sha, rows in _stored(paths)} == expected


def test_nodes_hash_many_files_at_once(connected: Any, tmp_path: Path) -> None:
    """A task for each file was most of what the process that hands them out sent and received."""
    paths = album(tmp_path, 70, seconds=0.1)
    paths[3].write_text("no music")
    paths[40].unlink()  # left to this process, which says why
    known = [(path, file_hashes.stamp(path), sound_hash(path)) for path in paths[:2]]
    files = [(n, path, (stamp, sha)) for n, (path, stamp, sha) in enumerate(known)]
    files += [(n, path, None) for n, path in enumerate(paths)][2:]
    cluster, asked = Cluster(sources("mel"), "ray", 32), []
    read = ray.remote(file_hashes.read)

    def remote(some: list[Path]) -> Any:
        asked.append(len(some))
        return read.remote(some)

    cluster.ray, cluster.read = ray, SimpleNamespace(remote=remote)
    out = [*cluster.hashed(iter(files))]
    assert asked == [30, 32, 6]
    assert [file[:2] for file in out] == [*enumerate(paths)]
    assert [n for n, _, known in out if not known] == [40]
    rest = [(path, found) for _, path, found in out if found]
    assert [found for _, found in rest] == [
        (file_hashes.stamp(path), sound_hash(path)) for path, _ in rest
    ]


def _stored(paths: list[Path]) -> Iterator[tuple[str, list[np.ndarray]]]:
    [mel] = sources("mel")
    return ((sha, mel.store.read(sha)) for sha in map(sound_hash, paths))


def test_a_store_that_nodes_do_not_see_is_filled_by_this_process(
    connected: Any, tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unseen() -> Iterator[str]:
        yield str(tmp_path / "not there")

    monkeypatch.setattr(ray_shards, "_token", unseen)
    paths = album(tmp_path / "music", 40, seconds=1.0)
    out = list(Cluster(sources("mel"), "ray", 32).run(ExtractionPlan(paths, sources("mel")).jobs()))
    assert {answer.stored_bytes for _, answer in out} == {None}
    assert extract(paths, sources("mel"), on="ray").made == 40
    assert shards(sources("mel")) == local(paths, "mel")


def test_a_file_that_kills_its_worker_is_left_out(
    connected: Any, tmp_path: Path, hostile: str
) -> None:
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(8)]
    told(paths[3], SEGFAULT)
    told(paths[6], NAN)
    done = extract(paths, sources(hostile), on="ray")
    assert done.made == 6
    assert [failure.path for failure in done.failures] == [paths[3], paths[6]]
    assert "its worker process crashed 3 times (WorkerCrashedError)" in done.failures[0].reason
    assert "not finite" in done.failures[1].reason


def test_files_travel_where_nodes_do_not_see_them(
    connected: Any, tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of change that a node finds is another than the one it is asked for."""
    paths = album(tmp_path / "music", 40)
    (tmp_path / "music" / "0011.wav").write_text("no music")
    plan = ExtractionPlan(paths, sources("mel"))
    out = list(Cluster(sources("mel"), "ray", 32).run(map(_elsewhere, plan.jobs())))
    assert [job.path for job, _ in out] == paths
    assert [bool(answer.reason) for _, answer in out].index(True) == 11
    assert out[11][1].reason.startswith(f"{paths[11]}: does not decode")
    expected = local(paths, "mel")
    done = extract(paths, sources("mel"), on="ray")
    assert done.made == 39
    assert shards(sources("mel")) == expected
    [mel] = sources("mel")
    for job, answer in out:
        if not answer.reason:
            [rows] = answer.rows()
            assert [r.tobytes() for r in rows] == [
                r.tobytes() for r in mel.store.read(job.audio_hash)
            ]


def _elsewhere(job: ExtractionJob) -> ExtractionJob:
    return replace(job, stamp=(job.stamp[0], 1))


def test_a_file_too_large_to_travel_is_worked_on_here(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "SHIPPED_BYTES", 60_000)
    paths = [*album(tmp_path / "short", 3, seconds=1.0), *album(tmp_path / "long", 1, seconds=2.0)]
    plan = ExtractionPlan(paths, sources("mel"))
    out = list(Cluster(sources("mel"), "ray", 32).run(map(_elsewhere, plan.jobs())))
    assert [answer.parts for _, answer in out] == [[1], [1], [1], [2]]


def test_actors_make_the_features_where_there_are_gpus(
    connected: Any, tmp_path: Path, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray believes that a node has GPUs; the actors work on the CPU."""
    node = connected.add_node(num_cpus=1, num_gpus=2, object_store_memory=200 << 20)
    monkeypatch.setattr(shard_writer, "SHARD_TRACKS", 8)
    try:
        paths = album(tmp_path / "music", 21, seconds=1.2)
        (tmp_path / "music" / "0005.wav").write_text("no music")
        (tmp_path / "music" / "0006.wav").write_bytes(paths[2].read_bytes())
        monkeypatch.setattr(cluster_module, "GPU_DEVICE", "cpu")
        done = extract(paths, sources(), on="ray")
        assert (done.made, done.found, len(done.failures)) == (19, 1, 1)
        assert shards(sources()).keys() == local(paths).keys()
        for path in set(paths) - {failure.path for failure in done.failures}:
            expected = features_of(path, sources())
            for source in sources():
                stored = source.store.read(done.hashes[path])
                for one, other in zip(stored, expected[source.name], strict=True):
                    # A batch may round otherwise than a clip alone, by a step of float16.
                    np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)
    finally:
        connected.remove_node(node)


def test_nodes_with_another_version_are_refused(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.audio import decoding

    monkeypatch.setattr(decoding, "DECODER", "another decoder")
    with pytest.raises(MgcError, match="different 'mel' features") as caught:
        extract(album(tmp_path, 3), sources("mel"), on="ray")
    assert "same versions" in caught.value.hint


def test_no_cluster(mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(MgcError, match="No Ray cluster answers") as caught:
        extract(album(tmp_path, 1), sources("mel"), on="ray")
    assert "ray start --head" in caught.value.hint


def test_ray_is_not_installed(
    mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MgcError, match="not installed") as caught:
        extract(album(tmp_path, 1), sources("mel"), on="ray")
    assert "mgc-music[ray]" in caught.value.hint
