"""Receives the files of a request into its folder. A client's names are shown, never opened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from mgc_serve.problems import ProblemError
from mgc_serve.settings import Settings

MAX_FIELDS, MAX_FIELD_BYTES, MAX_NAME = 50, 1_000, 200
DRAINED = 4  # times the largest body: as much is taken, unused, so that a client reads the refusal
RAW = re.compile(r"audio/[\w.+-]+|application/(octet-stream|ogg)")
ACCEPTED = "multipart/form-data with parts named file, audio/* or application/octet-stream"


@dataclass(frozen=True)
class Upload:
    """A file as it lies in the request's folder, and its name as the client gave it."""

    path: Path
    name: str


@dataclass
class Received:
    """The files of a request and the options that it names."""

    files: list[Upload] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)


async def received(request: Request, settings: Settings, folder: Path) -> Received:
    """Take a request's body. Raises ProblemError if it cannot be taken.

    Raises ClientDisconnect if the client has gone.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    said = kind.decode("latin-1").lower()
    found = Received(options=list(request.query_params.multi_items()))
    body = _body(request, settings)
    if said == "multipart/form-data":
        if b"boundary" not in parameters:
            raise ProblemError(400, "bad-form", "The form names no boundary.")
        await _form(body, parameters[b"boundary"], settings, folder, found)
        if not found.files:
            raise ProblemError(400, "no-file", "The form has no file.", "Name its parts: file")
    elif RAW.fullmatch(said):
        name = dict(found.options).get("name", "")
        found.files.append(Upload(folder / "0", shown(name) or "the given audio"))
        with open(folder / "0", "wb") as file:
            async for chunk in body:
                file.write(chunk)
    else:
        raise ProblemError(
            415, "unsupported-media-type", f"{said or 'No type'!r:.80} is not taken.", ACCEPTED
        )
    return found


async def _body(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    """The body, within its limits of size and time."""
    most, size = settings.max_bytes, 0
    claimed = request.headers.get("content-length", "0")
    if claimed.isdecimal() and int(claimed) > most:
        raise _too_large(most, closing=int(claimed) > DRAINED * most)
    clock = asyncio.get_running_loop().time
    deadline = clock() + settings.upload_seconds
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(min(clock() + settings.idle_seconds, deadline)):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ProblemError(
                408,
                "too-slow",
                "The request did not come in time.",
                headers={"Connection": "close"},
            ) from None
        size += len(chunk)
        if size > most:
            raise _too_large(most, closing=True)
        yield chunk


def _too_large(most: int, closing: bool) -> ProblemError:
    """The refusal. A client whose connection is closed may not get to read it, so that of a body
    which is not endless stays open."""
    said, hint = f"The request is larger than {most:,} bytes.", "Send fewer files, or a part."
    return ProblemError(413, "too-large", said, hint, {"Connection": "close"} if closing else {})


async def _form(
    body: AsyncIterator[bytes], boundary: bytes, settings: Settings, folder: Path, found: Received
) -> None:
    def on_file(file: File) -> None:
        file.finalize()
        if len(found.files) >= settings.max_files:
            raise ProblemError(
                413, "too-many-files", f"At most {settings.max_files} files are taken at once."
            )
        name = shown((file.file_name or b"").decode("utf-8", "replace"))
        path = folder / str(len(found.files))
        if file.actual_file_name is None:
            path.touch()
        else:
            Path(file.actual_file_name.decode()).rename(path)
        found.files.append(Upload(path, name or f"file {len(found.files) + 1}"))
        file.close()

    def on_field(own: Field) -> None:
        texts = ((part or b"").decode("utf-8", "replace") for part in (own.field_name, own.value))
        found.options.append(tuple(texts))  # type: ignore[arg-type]

    config: dict[str, Any] = {
        "UPLOAD_DIR": str(folder),
        "UPLOAD_DELETE_TMP": False,
        "MAX_MEMORY_FILE_SIZE": 0,
        "MAX_FIELDS": MAX_FIELDS,
        "MAX_FIELD_SIZE": MAX_FIELD_BYTES,
    }
    try:
        parser = FormParser(
            "multipart/form-data", on_field, on_file, boundary=boundary, config=config
        )
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise ProblemError(400, "bad-form", f"The form cannot be read: {error}.") from error


def shown(name: str) -> str:
    """A client's file name to show: its last part, without what cannot be printed."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:MAX_NAME]
