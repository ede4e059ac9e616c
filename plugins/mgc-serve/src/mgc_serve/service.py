"""What answers: the runs, the worker processes that hear files, and the thread of the models."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import mgc
from mgc.home import temporary_folder
from mgc_serve.metrics import Metrics
from mgc_serve.model_thread import Finish, ModelThread, Question
from mgc_serve.problems import ProblemError
from mgc_serve.runbook import RunBook
from mgc_serve.settings import Settings

MAX_RETRY_SECONDS = 60
NOISE_RATE, NOISE_SECONDS = 22_050, 3
STATUS = {"audio": (422, "unusable-audio"), "usage": (400, "bad-request")}


class Service:
    """Everything behind the routes. It is started by `start` and ended by `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runs = RunBook(settings.run, self._figures)
        self.metrics = Metrics()
        self._ended = ExitStack()
        self.folder, self.owner = Path(), -1  # none yet
        self.folders: list[Path] = []  # of requests, empty
        self.in_hand = 0
        self.seconds = 1.0  # of a request, the recent ones' mean
        self.ready = False
        self.problem = "It is starting."
        self.metrics.gauge("in_hand", "Requests in hand.", lambda: self.in_hand)

    def start(self) -> None:
        """Start the processes, with the model of the run that answers; it takes seconds."""
        self.temporary()
        run = self._default_run()
        folders = [str(run.folder)] if run else []
        self.workers = mgc.Workers(
            "mgc_serve.work:answering", {"folders": folders}, self.settings.workers
        )
        self.threads = ThreadPoolExecutor(self.workers.count, "worker")
        self.models = ModelThread(self._batched)
        gauge = self.metrics.gauge
        gauge("workers_replaced", "Worker processes that a file ended.", self._replaced)
        self.workers.warm_up()
        if run is not None:
            self._hear_noise(run)
        self.ready = True
        self.reader = Thread(target=self._read_ahead, daemon=True)
        self.reader.start()

    def _read_ahead(self) -> None:
        with suppress(ProblemError, mgc.MgcError):  # whoever asks for the runs is told
            self.runs.entries()

    def _figures(self, run: mgc.Run) -> dict[str, Any]:
        """The figures of a run, computed in a worker process: the models' thread would wait."""
        if not self.ready:
            raise ProblemError(503, "ending", "The server is ending.")
        asked = {"do": "figures", "path": str(run.folder / "run.json"), "run": str(run.folder)}
        figures: dict[str, Any] = self.workers.call(asked, self.settings.work_seconds)
        return figures

    def _default_run(self) -> mgc.Run | None:
        try:
            run = self.runs.find(None)
        except (ProblemError, mgc.MgcError) as error:
            self.problem = str(error)
            return None
        self.problem = ""
        return run

    def _hear_noise(self, run: mgc.Run) -> None:
        """Let each process hear something, so that the first request is as fast as the others."""
        path = self.new_file(".wav")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, NOISE_RATE, 0, "NONE", ""))
            file.writeframes(random.Random(0).randbytes(2 * NOISE_RATE * NOISE_SECONDS))
        asked: dict[str, Any] = {"do": "predict", "path": str(path), "run": str(run.folder)}
        asked |= {"max_seconds": NOISE_SECONDS, "unknown": 0.01, "coverage": None}
        asked |= dict.fromkeys(("timeline", "waveform", "views"), False)

        def hear(answers: bool) -> Any:
            return self.workers.call(asked | {"answers": answers}, self.settings.work_seconds)

        with suppress(mgc.MgcError):  # whoever asks for the run is told
            for heard in self.threads.map(hear, [True] * self.workers.count + [False]):
                if "rows" in heard:
                    features = mgc.Features(None, heard["rows"])
                    self.models.ask(Question(run, features, 0.01, lambda *_: None))
        path.unlink()

    def close(self) -> None:
        """End everything, and remove the temporary folder."""
        self.ready = False
        self.reader.join()
        self.threads.shutdown(cancel_futures=True)
        self.models.close()
        self.workers.close()
        self._ended.close()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A request in hand. Raises ProblemError if there are too many."""
        if self.in_hand >= self.settings.max_requests:
            self.metrics.add("refused_total")
            wait = self.in_hand * self.seconds / self.workers.count
            after = str(min(MAX_RETRY_SECONDS, max(1, round(wait))))
            raise ProblemError(
                503,
                "overloaded",
                f"{self.in_hand} requests are in hand.",
                f"Try again in {after} s.",
                {"Retry-After": after},
            )
        self.in_hand += 1
        try:
            yield
        finally:
            self.in_hand -= 1

    def temporary(self) -> Path:
        """The temporary folder, a new one if it no longer exists or belongs to another user: the
        system may delete it after days without use, and then anybody can take its name."""
        try:
            there = self.folder.stat().st_uid == self.owner
        except OSError:
            there = False
        if not there:
            self.folder = self._ended.enter_context(temporary_folder(self.settings.folder))
            self.folders, self.owner = [], self.folder.stat().st_uid
        return self.folder

    @contextmanager
    def folder_of_request(self) -> Iterator[Path]:
        """A folder whose files end with the request. One that was answered leaves it to the next:
        some file systems take milliseconds to remove a folder, or a file: the answer, which is
        sent as soon as the block has ended, goes first, and waits for no client."""
        below = self.temporary()
        made = self.folders.pop() if self.folders else Path(tempfile.mkdtemp(dir=below))
        made.mkdir(0o700, exist_ok=True)  # this one alone may have been unused for days
        try:
            yield made
        except BaseException:  # a process may still be at work there
            shutil.rmtree(made, ignore_errors=True)
            raise
        asyncio.get_running_loop().call_soon(self._empty, made)

    def _empty(self, folder: Path) -> None:
        try:
            for path in folder.iterdir():
                path.unlink()
            self.folders.append(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)

    def new_file(self, suffix: str) -> Path:
        """A file in the temporary folder, for whoever removes it."""
        handle, name = tempfile.mkstemp(suffix, dir=self.temporary())
        os.close(handle)
        return Path(name)

    async def work(self, task: str, path: Path, name: str, **request: Any) -> dict[str, Any]:
        """What a worker process says of a file. Raises ProblemError, with the file's own name."""
        loop, seconds = asyncio.get_running_loop(), self.settings.work_seconds
        asked = {"do": task, "path": str(path), **request}

        def call() -> dict[str, Any]:
            began = time.monotonic()
            said: dict[str, Any] = self.workers.call(asked, seconds)
            self.seconds += 0.1 * (time.monotonic() - began - self.seconds)
            return said

        try:
            said = await loop.run_in_executor(self.threads, call)
        except mgc.AudioError as error:
            said = {"kind": "audio", "error": f"{path}: {error.message}.", "hint": ""}
        if "error" in said:
            status, kind = STATUS.get(said["kind"], (409, "unusable-run"))
            texts = [said["error"], said["hint"]]
            for hidden, shown in ((str(path), name), (asked.get("run"), "the run")):
                texts = [text.replace(hidden, shown) if hidden else text for text in texts]
            raise ProblemError(status, kind, *texts)
        return said

    async def answer(
        self, run: mgc.Run, heard: Mapping[str, Any], unknown: float, finish: Finish
    ) -> Any:
        """What the model of a run says of what a worker process heard, finished by ``finish``."""
        features = mgc.Features(None, heard["rows"], heard["seconds"], heard["remark"])
        question = Question(run, features, unknown, finish)
        return await asyncio.wrap_future(self.models.ask(question))

    def _replaced(self) -> float:
        return self.workers.replaced

    def _batched(self, count: int) -> None:
        self.metrics.add("batches_total")
        self.metrics.add("batched_files_total", count)
