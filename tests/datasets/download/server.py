"""A web server on loopback that can do all that real ones do wrong."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Behaviour:
    """What to do with one request; the default is all that is right.

    Attributes:
        status: answer this, with no file.
        drop: close the connection after so many bytes of the body.
        stall: send nothing for so many seconds after `drop` bytes.
        ranges: obey Range.
        validator: etag | weak | date | none.
        announce: add this to Content-Length.
        length: give a Content-Length.
        spoil: change a byte of what is sent.
        shift: send a range that begins so many bytes later than asked.
        rate: bytes a second.
    """

    status: int = 0
    drop: int | None = None
    stall: float = 0.0
    ranges: bool = True
    validator: str = "etag"
    announce: int = 0
    length: bool = True
    spoil: bool = False
    shift: int = 0
    rate: float = 0.0


@dataclass
class Server:
    """The running server: what it shall do, and what it was asked."""

    folder: Path
    url: str = ""
    #: Taken one for each request; afterwards `usual`.
    script: list[Behaviour] = field(default_factory=list)
    usual: Behaviour = field(default_factory=Behaviour)
    #: (file, first byte sent, bytes sent) of each answer with a file.
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)

    def bytes_of(self, name: str) -> int:
        """All bytes of a file that went out."""
        return sum(count for file, _, count in self.sent if file == name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer as the script says."""
        state = self.state
        do = state.script.pop(0) if state.script else state.usual
        state.requests.append({"path": self.path, **dict(self.headers.items())})
        file = state.folder / self.path.lstrip("/")
        if do.status or not file.is_file():
            self.send_response(do.status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes()
        start = self._headers(do, content)
        self._body(do, file.name, content, start)

    def _headers(self, do: Behaviour, content: bytes) -> int:
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        date = "Mon, 01 Jan 2024 00:00:00 GMT"
        known = {"etag": tag, "weak": f"W/{tag}", "date": date}.get(do.validator)
        wanted = self.headers.get("Range", "")
        fresh = self.headers.get("If-Range") in (None, known)
        start = int(wanted[6:-1]) if wanted and do.ranges and fresh else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return len(content)
        if start:
            start += do.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if known:
            self.send_header("Last-Modified" if do.validator == "date" else "ETag", known)
        if do.length:
            self.send_header("Content-Length", str(len(content) - start + do.announce))
        else:
            self.close_connection = True
        self.end_headers()
        return start

    def _body(self, do: Behaviour, name: str, content: bytes, start: int) -> None:
        body = bytearray(content[start:])
        if do.spoil and body:
            body[len(body) // 2] ^= 1
        end = len(body) if do.drop is None else min(do.drop, len(body))
        count = 0
        step = max(1, int(do.rate / 50)) if do.rate else 1 << 16
        try:
            while count < end:
                piece = bytes(body[count : min(count + step, end)])
                self.wfile.write(piece)
                count += len(piece)
                if do.rate:
                    time.sleep(len(piece) / do.rate)
            self.wfile.flush()
            time.sleep(do.stall)
        except OSError:
            pass
        self.state.sent.append((name, start, count))
        if do.drop is not None or do.announce or do.stall:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(2)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server of a folder on a free port of loopback."""
    state = Server(folder)
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients are killed
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
