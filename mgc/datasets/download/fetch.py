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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


def _sha1() -> Any:
    return hashlib.sha1(usedforsecurity=False)


@dataclass
class _Part:
    """The bytes so far: how many, their hash, and what the server said about the file."""

    path: Path
    note: Path
    size: int = 0
    digest: Any = field(default_factory=_sha1)
    known: dict[str, Any] = field(default_factory=dict)

    def restart(self) -> None:
        self.path.write_bytes(b"")
        self.size, self.digest, self.known = 0, _sha1(), {}


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
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.exists():
            return verified_files.verify(target, sha1, progress)
        part = _kept(target, url, progress)
        _fetch_rest(url, part, size, progress, patience)
        found = str(part.digest.hexdigest())
        if sha1 is not None and found != sha1.lower():
            wrong = target.with_name(f"{target.name}.wrong")
            os.replace(part.path, wrong)
            raise verified_files.wrong_sha1(wrong, found, sha1, target.name)
        verified_files.name_verified(part.path, target, found)
        part.note.unlink(missing_ok=True)
    return found


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two programs appending to one file would corrupt it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        raise MgcError(
            f"{target} is being fetched by another mgc.", "Wait for it, or stop it."
        ) from error


def _kept(target: Path, url: str, progress: Progress) -> _Part:
    """What an earlier call left, hashed, or nothing."""
    part = _Part(
        target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")
    )
    try:
        part.known = read_json(part.note)
    except MgcError:
        part.known = {}
    if not part.path.exists() or part.known.get("url") != url:
        part.restart()
        return part
    part.digest = verified_files.digest(part.path, progress)
    part.size = part.path.stat().st_size
    return part


def _fetch_rest(
    url: str, part: _Part, size: int | None, progress: Progress, patience: Patience
) -> None:
    import requests
    from requests import exceptions as wrong
    from urllib3.exceptions import HTTPError

    failures, furthest = 0, part.size
    with requests.Session() as session:
        while True:
            try:
                answer = _ask(session, url, part, patience.timeout)
                with answer:
                    return _take(url, answer, part, size, progress)
            except (wrong.InvalidURL, wrong.InvalidSchema, wrong.MissingSchema) as error:
                raise MgcError(
                    f"{url} is not a valid URL: {error}.", "Give --url http://…"
                ) from error
            except (_Again, requests.RequestException, HTTPError) as error:
                failures = 1 if part.size > furthest else failures + 1
                furthest = max(furthest, part.size)
                _wait(url, part, failures, error, progress, patience)
            except OSError as error:
                raise MgcError(
                    f"Cannot write {part.path}: {error.strerror or error}.",
                    f"{readable(part.size)} are kept; run the same command to continue.",
                ) from error


def _wait(
    url: str, part: _Part, failures: int, error: Exception, progress: Progress, patience: Patience
) -> None:
    if failures > patience.attempts:
        raise MgcError(
            f"{url} cannot be fetched: {_plain(error)} ({failures} attempts failed).",
            f"{readable(part.size)} are kept; run the same command later to continue, or use "
            f"another source: --url URL, --from FILE.",
        ) from error
    pause = min(patience.pause * 2 ** (failures - 1), MAX_PAUSE)
    progress.say(f"{_plain(error)}; resuming at {readable(part.size)} in {pause:.0f} s")
    time.sleep(pause)


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


def _ask(session: Any, url: str, part: _Part, timeout: float) -> Any:
    """Ask for what is missing."""
    headers = {"Accept-Encoding": "identity"}
    validator = part.known.get("validator")
    if part.size and validator:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
    elif part.size:
        part.restart()  # there is no way to tell whether the file is still the same
    return session.get(url, headers=headers, stream=True, timeout=(timeout, timeout))


def _take(url: str, answer: Any, part: _Part, size: int | None, progress: Progress) -> None:
    """Write what arrives; returns when the file is complete."""
    if answer.status_code == 416:
        if part.size and _total(answer) == part.size:
            return
        part.restart()  # what is kept is longer than the file: it is another file
    if answer.status_code in RETRY_STATUS:
        raise _Again(f"the server says {answer.status_code} {answer.reason}")
    if answer.status_code not in (200, 206):
        raise MgcError(
            f"{url} cannot be downloaded: the server says {answer.status_code} {answer.reason}.",
            "Give another address with --url URL, or a zip that you already have with --from FILE.",
        )
    total = _begin(answer, part)
    if size is not None and total is not None and total != size:
        raise MgcError(
            f"{url} has {total:,} bytes; the published file has {size:,}.",
            "Give another address with --url URL or, if it is meant to differ, its --sha1.",
        )
    if total is not None:
        verified_files.need_space(part.path.parent, total - part.size, f"Fetching {part.path.stem}")
    _remember(url, answer, part, total)
    _receive(answer, part, total, progress)


def _begin(answer: Any, part: _Part) -> int | None:
    """Bring the part to where the answer's first byte belongs; the file's whole length."""
    if answer.status_code == 206:
        start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if not start.isdigit() or int(start) != part.size:
            part.restart()
            raise _Again("the server sent a different range from the one requested")
        return _total(answer)
    part.restart()  # no range support, or the file has changed: start over
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _total(answer: Any) -> int | None:
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _remember(url: str, answer: Any, part: _Part, total: int | None) -> None:
    """What is needed to resume later: If-Range accepts only a strong ETag or a date."""
    tag = answer.headers.get("ETag", "")
    strong = None if tag.startswith("W/") else tag
    part.known = {
        "url": url,
        "validator": strong or answer.headers.get("Last-Modified"),
        "total": total,
    }
    write_json(part.note, part.known)


def _receive(answer: Any, part: _Part, total: int | None, progress: Progress) -> None:
    what = part.path.stem + (f", from {readable(part.size)}" if part.size else "")
    units = None if total is None else (total - part.size) // MEGABYTE
    with progress.task(what, units, "MB") as task, open(part.path, "ab") as file:
        meter = Meter(task)
        # read1 returns what has arrived: nothing sits in a buffer to be lost with the connection.
        while block := answer.raw.read1(BLOCK):
            if total is not None and part.size + len(block) > total:
                part.restart()
                raise _Again("the server sent more than it announced")
            file.write(block)
            file.flush()
            part.digest.update(block)
            part.size += len(block)
            meter.add(len(block))
    if total is not None and part.size < total:
        raise _Again("the connection broke")
