"""What the server is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """How to serve, and how much to take.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        token: what a request must bring as ``Authorization: Bearer``; "" asks for none.
        run: the name of the run that answers if a request names none; None is the one that
            answers in `mgc predict`.
        max_bytes: of the body of a request.
        max_seconds: of one piece of audio.
        max_files: in one request.
        max_requests: in hand at once; more are answered 503.
        workers: processes that hear audio; 0 is one per core.
        work_seconds: that one piece of audio may take a process.
        idle_seconds: that a client may send nothing in the middle of its request.
        upload_seconds: that a client may take to send its request.
        review: the dataset whose labels are reviewed, or None.
        folder: where the temporary folder is made; None is the system's place.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    run: str | None = None
    max_bytes: int = 256 << 20
    max_seconds: float = 3 * 3600.0
    max_files: int = 100
    max_requests: int = 128
    workers: int = 0
    work_seconds: float = 300.0
    idle_seconds: float = 30.0
    upload_seconds: float = 600.0
    review: str | None = None
    folder: Path | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK
