"""Errors as RFC 9457 asks: ``application/problem+json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mgc import AudioError, MgcError, UsageError

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """What is wrong with a request.

    Args:
        status: the HTTP status.
        kind: names the problem for programs, as the end of its ``type``.
        detail: what is wrong, in a sentence.
        hint: what to do about it.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.hint = status, kind, detail, hint
        self.headers = dict(headers or {})

    def as_record(self) -> dict[str, Any]:
        """The members that RFC 9457 names, and the hint."""
        return {
            "type": f"urn:mgc-serve:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
        } | ({"hint": self.hint} if self.hint else {})

    def response(self) -> Response:
        """The answer to the request."""
        content = json.dumps(self.as_record(), ensure_ascii=False)
        return Response(
            content.encode("utf-8", "replace"), self.status, self.headers, media_type=MEDIA_TYPE
        )


def from_error(error: MgcError) -> ProblemError:
    """An error of mgc as a problem: of the audio, of the request, or of the run."""
    if isinstance(error, AudioError):
        return ProblemError(422, "unusable-audio", error.message, error.hint)
    if isinstance(error, UsageError):
        return ProblemError(400, "bad-request", error.message, error.hint)
    return ProblemError(409, "unusable-run", error.message, error.hint)


async def on_problem(_: Request, error: Exception) -> Response:
    """The answer to a `ProblemError`."""
    assert isinstance(error, ProblemError)
    return error.response()


async def on_mgc_error(_: Request, error: Exception) -> Response:
    """The answer to an error of mgc."""
    assert isinstance(error, MgcError)
    return from_error(error).response()


async def on_http_error(_: Request, error: Exception) -> Response:
    """The answer to an address or a method that there is not."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    kind = phrase.lower().replace(" ", "-")
    return ProblemError(
        error.status_code, kind, f"{phrase}.", "See: /openapi.json", error.headers
    ).response()
