"""What runs on a node of a Ray cluster."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction.gpu import extracted
from mgc.features.extraction.jobs import NO_STAMP, ExtractionJob
from mgc.features.extraction.remote_sources import built
from mgc.features.extraction.shard_writer import stored
from mgc.features.extraction.tasks import Task, TaskResult, Work
from mgc.features.extractor_spec import ExtractorSpec
from mgc.home import temporary_folder

Record = dict[str, Any]


def do(
    sources: Sequence[Record],
    task: Task,
    name: str,
    stamp: Sequence[int],
    wanted: Sequence[int],
    content: bytes | None,
) -> tuple[Record, list[np.ndarray]]:
    """Work on one file: its status, and its arrays.

    Without ``content`` the file is read at its path; if it is not there, with the size and time
    of change in ``stamp``, the status is ``{"absent": True}``.
    """
    try:
        work = _work(json.dumps(list(sources)), task)
    except MgcError as error:
        return _unusable(error), []
    path = Path(name)
    if content is None:
        now = file_hashes.stamp(path)
        if now is None or now[:2] != tuple(stamp):
            return {"absent": True}, []
        answer = work(path, wanted)
    else:
        answer = _work_on_content(work, path, wanted, content)
    names = ("reason", "parts", "origin", "reasons")
    status = {name: getattr(answer, name) for name in names}
    return {**status, "bytes": sum(array.nbytes for array in answer.arrays)}, answer.arrays


def do_shard(
    sources: Sequence[Record], root: str, token: str, jobs: Sequence[ExtractionJob]
) -> Record:
    """Put the features of one shard's files into the stores below ``root``.

    Returns the fields of the answers; or ``{"absent": True}`` if a file is not there as it was, or
    if a file called ``token``, which is at the store, is not seen here: the store is not shared.
    """
    os.environ["MGC_FEATURES"] = root
    try:
        made = _built(json.dumps(list(sources)), root)
        stamps = [(file_hashes.stamp(job.path) or NO_STAMP, job) for job in jobs if job.wanted]
        if (token and not os.path.exists(token)) or any(
            now[:2] != job.stamp[:2] for now, job in stamps
        ):
            return {"absent": True}
        return {"answers": [vars(answer) for answer in stored(jobs, made)]}
    except MgcError as error:
        return _unusable(error)


@lru_cache(maxsize=4)
def _built(sources: str, root: str) -> list[ExtractorSpec]:
    """Built once per process and root."""
    return built(json.loads(sources))


def _work_on_content(work: Work, path: Path, wanted: Sequence[int], content: bytes) -> TaskResult:
    with temporary_folder() as folder:
        file = folder / f"content{path.suffix}"
        file.write_bytes(content)
        answer = work(file, wanted)
        reason, *reasons = (
            one.replace(str(file), str(path)) for one in [answer.reason, *answer.reasons]
        )
        return replace(answer, reason=reason, reasons=reasons)


@lru_cache(maxsize=4)
def _work(sources: str, task: Task) -> Work:
    """Built once per process."""
    return Work(built(json.loads(sources)), task)


def _unusable(error: MgcError) -> Record:
    return {"error": f"{socket.gethostname()}: {error.message}", "hint": error.hint}


class GpuWorker:
    """An actor that makes features from what other workers decode."""

    def __init__(self, sources: Sequence[Record]) -> None:
        self.trouble: Record = {}
        try:
            self.sources = built(sources)
        except MgcError as error:
            self.trouble = _unusable(error)

    def ready(self) -> Record:
        """Report that it has its GPU, or why it cannot be used."""
        return self.trouble

    def extract(
        self,
        files: Sequence[tuple[str, Sequence[int], list[Any], list[Any]]],
        *waves: list[np.ndarray],
    ) -> list[tuple[Any, ...]]:
        """(path, wanted sources, parts, origin) and waveforms of some files → the fields of their
        answers."""
        batch = [
            (
                ExtractionJob(number, Path(path), wanted=tuple(wanted)),
                TaskResult("", list(arrays), parts, origin),
            )
            for number, ((path, wanted, parts, origin), arrays) in enumerate(
                zip(files, waves, strict=True)
            )
        ]
        made = (answer for _, answer in extracted(self.sources, batch))
        return [tuple(vars(one).values()) for one in made]
