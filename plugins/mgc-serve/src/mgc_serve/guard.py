"""What every request passes: who may ask, what browsers may do with the answer, log and figures."""

from __future__ import annotations

import hmac
import logging
import time
import traceback

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mgc_serve.problems import ProblemError
from mgc_serve.service import Service
from mgc_serve.settings import LOOPBACK

LOG = logging.getLogger("mgc_serve")
#: Paths that need no token: they tell nothing of what is here.
OPEN = ("/", "/health", "/ready", "/openapi.json", "/review")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; media-src 'self' blob: data:; img-src 'self' blob: data:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, answer it, and note how that went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(("/v1/", "/metrics", "/ready")):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, receive, guarded)
        except ProblemError as refused:
            await refused.response()(scope, receive, guarded)
        except Exception:
            LOG.error("error", extra={"trace": traceback.format_exc()})
            if not status:
                failed = ProblemError(500, "internal-error", "It failed; the log says why.")
                await failed.response()(scope, receive, guarded)
        self._note(scope, status, time.monotonic() - began)

    def _check(self, scope: Scope) -> None:
        headers, settings = Headers(scope=scope), self.service.settings
        host, origins = headers.get("host", ""), headers.getlist("origin")
        if not settings.token and not _is_ours(host, scope, settings.host):
            raise ProblemError(
                421,
                "wrong-host",
                f"This server is not {host!r:.80}.",
                "Use the address it printed.",
            )
        if others := [one for one in origins if one not in (f"http://{host}", f"https://{host}")]:
            raise ProblemError(403, "wrong-origin", f"A page of {others[0]!r:.80} may not ask.")
        path = scope["path"]
        if settings.token and path not in OPEN and not path.startswith("/static/"):
            given = headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, f"Bearer {settings.token}".encode()):
                raise ProblemError(
                    401,
                    "no-token",
                    "The token is missing or wrong.",
                    "Send: Authorization: Bearer TOKEN",
                    {"WWW-Authenticate": "Bearer"},
                )

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        path = getattr(route, "path", "") or "other"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        self.service.metrics.add("requests_total", path=path, method=method, status=str(status))
        self.service.metrics.observe(seconds, path=path)
        LOG.info(
            "request",
            extra={
                "method": method,
                "path": path,
                "status": status,
                "seconds": round(seconds, 4),
            },
        )


def _is_ours(host: str, scope: Scope, bound: str) -> bool:
    """Whether a Host header names this server: by its address or as this machine, at its port."""
    port = (scope.get("server") or ("", None))[1]
    names = {*LOOPBACK, bound}
    hosts = {f"[{name}]" if ":" in name else name for name in names}
    ours = {f"{name}:{port}" for name in hosts} | (hosts if port == 80 else set())
    return host.lower() in ours
