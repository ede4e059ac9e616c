"""``mgc serve``."""

from __future__ import annotations

import socket
import sys
from typing import Annotated
from urllib.parse import quote

import typer

from mgc import MgcError, UsageError
from mgc_serve.listening import Host, Port, Token
from mgc_serve.settings import Settings

MIB = 1 << 20
GRACE_SECONDS = 60  # to finish what is in hand
TAKEN = "The log above says why; another port: --port 0"


def serve(
    run: Annotated[str | None, typer.Option("--run", help="The run that answers.")] = None,
    host: Host = Settings.host,
    port: Port = Settings.port,
    token: Token = "",
    is_open: Annotated[
        bool, typer.Option("--open", help="Let anyone who reaches the address ask, without token.")
    ] = False,
    max_mb: Annotated[int, typer.Option(help="Most MiB of a request.", min=1)] = Settings.max_bytes
    // MIB,
    max_minutes: Annotated[
        float, typer.Option(help="Longest audio.", min=0.1)
    ] = Settings.max_seconds / 60,
    max_files: Annotated[
        int, typer.Option(help="Most files in a request.", min=1)
    ] = Settings.max_files,
    max_requests: Annotated[
        int, typer.Option(help="Most requests in hand; more are refused.", min=1)
    ] = Settings.max_requests,
    workers: Annotated[
        int, typer.Option("--workers", "-w", help="Processes that hear; 0: one per core.", min=0)
    ] = 0,
) -> None:
    """Open a local page: drop songs, see and hear their genres; an HTTP API too."""
    settings = Settings(
        host=host,
        port=port,
        token=token,
        run=run,
        max_bytes=max_mb * MIB,
        max_seconds=max_minutes * 60,
        max_files=max_files,
        max_requests=max_requests,
        workers=workers,
    )
    if not settings.local and not token and not is_open:
        raise UsageError(
            f"Everyone who reaches {host} could use this server.",
            "Give --token WORD (or MGC_SERVE_TOKEN), or --open if that is meant.",
        )
    run_server(settings)


def run_server(settings: Settings, path: str = "/") -> None:
    """Serve until Ctrl-C or SIGTERM, then finish what is in hand; stdout says where the page is."""
    import uvicorn

    from mgc_serve import logs
    from mgc_serve.app import make_app

    # A thread that loads a model turns sys.stdout into stderr while it imports a plug-in.
    stdout = sys.stdout

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for server in self.servers:
                for listening in server.sockets:
                    bound, port = listening.getsockname()[:2]
                    typer.echo(address(bound, port, settings.token, path), file=stdout)

    config = uvicorn.Config(
        make_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=logs.config("info"),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        lifespan="on",
        ws="none",
    )
    server = Server(config)
    server.run()
    if not server.started:
        raise MgcError(f"The server did not start on {settings.host}:{settings.port}.", TAKEN)


def address(host: str, port: int, token: str, path: str) -> str:
    """Where the page is; the token stands behind the ``#``, which browsers do not send."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{path}{'#token=' + quote(token, safe='') if token else ''}"
