"""Fetches a large file over HTTP so that no byte is fetched twice.

Bytes go to ``NAME.part`` as they arrive. A dropped or stalled connection resumes where it broke
(``Range`` with ``If-Range``), within a call or in a later one, even after a kill: the part that is
kept is hashed again, so that the SHA-1 of the whole is known when the last byte arrives. Only a
file with the right SHA-1 gets its name.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc.audio.processes.locks import held
from mgc.datasets.download import verified_files
from mgc.datasets.download.verified_files import MEGABYTE, Meter, readable
from mgc.errors import MgcError
from mgc.home import read_json, write_json
from mgc.progress import Progress, Silent

BLOCK = 1 << 20  # bytes taken at once, at most
RETRY_STATUS = frozenset([408, 416, 425, 429, 500, 502, 503, 504])
MAX_PAUSE = 60.0  # seconds


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        attempts: consecutive tries without new bytes before giving up.
        timeout: seconds without a byte before a connection counts as stalled.
        pause: seconds before the second such try; doubles each time.
    """

    attempts: int = 8
    timeout: float = 30.0
    pause: float = 1.0


USUAL = Patience()


class _Again(Exception):  # noqa: N818 - not an error in itself: a reason to retry
    """The connection failed in a way that may pass."""


def fetch(
    url: str,
    target: Path,
    *,
    sha1: str | None,
    size: int | None = None,
    progress: Progress | None = None,
    patience: Patience = USUAL,
) -> str:
    """Fetch ``url`` to ``target`` and return its SHA-1 in hex.

    Args:
        url: http or https.
        target: the file to write; if it already exists, nothing is fetched.
        sha1: what the bytes must hash to; None accepts anything.
        size: the file's required size in bytes, if known; checked before anything is fetched.
        progress: informed about megabytes as they arrive.
        patience: when to try again, and when to give up.

    Raises:
        MgcError: not found, refused, no space, wrong length or bytes, or no connection after
            `Patience.attempts`. What was fetched stays for the next call.
    """
    progress = progress or Silent()
    # Two programs appending to one file would corrupt it.
    with held(target.with_name(f".{target.name}.lock"), f"{target} is being fetched"):
        if target.exists():
            return verified_files.verify(target, sha1, progress)
        part = _Part(url, target, size, progress, patience)
        part.fetch_rest()
        found = str(part.digest.hexdigest())
        if sha1 is not None and found != sha1.lower():
            wrong = target.with_name(f"{target.name}.wrong")
            os.replace(part.path, wrong)
            raise verified_files.wrong_sha1(wrong, found, sha1, target.name)
        verified_files.name_verified(part.path, target, found)
        part.note.unlink(missing_ok=True)
    return found


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


class _Part:
    """The bytes so far: how many, their hash, and what the server said about the file."""

    def __init__(
        self, url: str, target: Path, required: int | None, progress: Progress, patience: Patience
    ) -> None:
        self.url, self.target, self.required = url, target, required
        self.progress, self.patience = progress, patience
        self.path = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.known: dict[str, Any] = {}
        with suppress(MgcError):
            self.known = read_json(self.note)
        if self.path.exists() and self.known.get("url") == url:  # what an earlier call left
            self.digest = verified_files.digest(self.path, progress)
            self.size = self.path.stat().st_size
        else:
            self.restart()

    def restart(self) -> None:
        """Start over, with no bytes."""
        self.path.write_bytes(b"")
        self.size, self.known = 0, {}
        self.digest = hashlib.sha1(usedforsecurity=False)

    def fetch_rest(self) -> None:
        """Fetch what is missing, in as many connections as it takes."""
        import requests
        from requests import exceptions as wrong
        from urllib3.exceptions import HTTPError

        failures, furthest = 0, self.size
        with requests.Session() as session:
            while True:
                try:
                    with self._ask(session) as answer:
                        return self._take(answer)
                except (wrong.InvalidURL, wrong.InvalidSchema, wrong.MissingSchema) as error:
                    raise MgcError(
                        f"{self.url} is not a valid URL: {error}.", "Give --url http://…"
                    ) from error
                except (_Again, requests.RequestException, HTTPError) as error:
                    failures = 1 if self.size > furthest else failures + 1
                    furthest = max(furthest, self.size)
                    self._wait(failures, error)
                except OSError as error:
                    raise MgcError(
                        f"Cannot write {self.path}: {error.strerror or error}.",
                        f"{readable(self.size)} are kept; run the same command to continue.",
                    ) from error

    def _wait(self, failures: int, error: Exception) -> None:
        if failures > self.patience.attempts:
            raise MgcError(
                f"{self.url} cannot be fetched: {_plain(error)} ({failures} attempts failed).",
                f"{readable(self.size)} are kept; run the same command later to continue, or use "
                f"another source: --url URL, --from FILE.",
            ) from error
        pause = min(self.patience.pause * 2 ** (failures - 1), MAX_PAUSE)
        self.progress.say(f"{_plain(error)}; resuming at {readable(self.size)} in {pause:.0f} s")
        time.sleep(pause)

    def _ask(self, session: Any) -> Any:
        """Ask for what is missing."""
        headers = {"Accept-Encoding": "identity"}
        validator = self.known.get("validator")
        if self.size and validator:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": validator}
        elif self.size:
            self.restart()  # there is no way to tell whether the file is still the same
        timeout = self.patience.timeout
        return session.get(self.url, headers=headers, stream=True, timeout=(timeout, timeout))

    def _take(self, answer: Any) -> None:
        """Write what arrives; returns when the file is complete."""
        says = f"the server says {answer.status_code} {answer.reason}"
        if answer.status_code == 416:
            if self.size and _total(answer) == self.size:
                return
            self.restart()  # what is kept is longer than the file: it is another file
        if answer.status_code in RETRY_STATUS:
            raise _Again(says)
        if answer.status_code not in (200, 206):
            raise MgcError(
                f"{self.url} cannot be downloaded: {says}.",
                "Give another address with --url URL, or a zip that you already have with "
                "--from FILE.",
            )
        total = self._begin(answer)
        if self.required is not None and total is not None and total != self.required:
            raise MgcError(
                f"{self.url} has {total:,} bytes; the published file has {self.required:,}.",
                "Give another address with --url URL or, if it is meant to differ, its --sha1.",
            )
        if total is not None:
            needed, what = total - self.size, f"Fetching {self.target.name}"
            verified_files.need_space(self.target.parent, needed, what)
        self._remember(answer, total)
        self._receive(answer, total)

    def _begin(self, answer: Any) -> int | None:
        """Get ready for the answer's first byte; the file's whole length."""
        if answer.status_code == 206:
            sent = answer.headers.get("Content-Range", "").removeprefix("bytes ")
            if _number(sent.partition("-")[0]) != self.size:
                self.restart()
                raise _Again("the server sent a different range from the one requested")
            return _total(answer)
        self.restart()  # no range support, or the file has changed: start over
        return _number(answer.headers.get("Content-Length", ""))

    def _remember(self, answer: Any, total: int | None) -> None:
        """What is needed to resume later: If-Range accepts only a strong ETag or a date."""
        tag = answer.headers.get("ETag", "")
        strong = None if tag.startswith("W/") else tag
        validator = strong or answer.headers.get("Last-Modified")
        self.known = {"url": self.url, "validator": validator, "total": total}
        write_json(self.note, self.known)

    def _receive(self, answer: Any, total: int | None) -> None:
        what = self.target.name + (f", from {readable(self.size)}" if self.size else "")
        units = None if total is None else (total - self.size) // MEGABYTE
        with self.progress.task(what, units, "MB") as task, open(self.path, "ab") as file:
            meter = Meter(task)
            # read1 returns what has arrived: no buffer is lost with the connection.
            while block := answer.raw.read1(BLOCK):
                if total is not None and self.size + len(block) > total:
                    self.restart()
                    raise _Again("the server sent more than it announced")
                if total is None:
                    self._check_unannounced(len(block))
                file.write(block)
                file.flush()
                self.digest.update(block)
                self.size += len(block)
                meter.add(len(block))
        if total is not None and self.size < total:
            raise _Again("the connection broke")

    def _check_unannounced(self, more: int) -> None:
        """Stop at the published size, or when the disk is full, if the server gave no length."""
        if self.required is not None and self.size + more > self.required:
            self.restart()
            raise MgcError(
                f"{self.url} sends more than the {self.required:,} bytes of the published file.",
                "Give another address with --url URL or, if it is meant to differ, its --sha1.",
            )
        verified_files.need_space(self.target.parent, more, f"Fetching more of {self.target.name}")


def _total(answer: Any) -> int | None:
    return _number(answer.headers.get("Content-Range", "").rpartition("/")[2])


def _plain(error: Exception) -> str:
    """The reason in a few words; the libraries nest theirs five deep."""
    text = str(error)
    for sign, plain in (
        ("Read timed out", "the connection stalled"),
        ("timed out", "the server does not answer"),
        ("refused", "the server refuses connections"),
        ("resolve", "the host is unknown; is there a network connection?"),
        ("IncompleteRead", "the connection broke"),
        ("aborted", "the connection broke"),
        ("reset", "the connection broke"),
    ):
        if sign in text:
            return plain
    return text.rstrip(".")
