"""A file's name or content never makes mgc open an address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgc.audio import decoding
from mgc.datasets.importers import tabular
from mgc.errors import MgcError
from mgc.features.extraction import heard_before

av = pytest.importorskip("av", reason="the extra mgc-music[av] is not installed")


class Listener:
    """A server on loopback that counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.visits = 0
        self.thread = threading.Thread(target=self._count, daemon=True)
        self.thread.start()

    def _count(self) -> None:
        while True:
            visitor, _ = self.socket.accept()
            with visitor:
                if visitor.recv(4) == b"STOP":
                    return
                self.visits += 1

    def total(self) -> int:
        """All visits; those who come first are counted first."""
        with socket.create_connection(("127.0.0.1", self.port)) as own:
            own.sendall(b"STOP")
        self.thread.join()
        return self.visits


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.socket.close()


def heard(path: Path) -> None:
    for listen in (decoding.probe, heard_before._claimed):
        with pytest.raises((MgcError, OSError, ValueError, av.FFmpegError)):
            listen(path)


def test_ffmpeg_alone_would_open_it(listener: Listener) -> None:
    with pytest.raises(av.FFmpegError):
        av.open(f"http:127.0.0.1:{listener.port}?x.m4a", timeout=20)
    assert listener.total() == 1


@pytest.mark.parametrize("form", ["http:127.0.0.1:{}?x.m4a", "tcp:127.0.0.1:{}.m4a"])
def test_a_name_is_no_address(
    listener: Listener, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(form.format(listener.port))
    path.write_bytes(b"no sound")
    heard(path)
    path.write_bytes(b"PAR1 and no table")
    with pytest.raises(MgcError):
        tabular.read_table(path, lambda names: True)
    assert listener.total() == 0


def test_a_playlist_in_a_song_is_not_followed(listener: Listener, tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    address = f"http://127.0.0.1:{listener.port}/x.aac"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n")
    heard(path)
    assert listener.total() == 0


def test_a_song_of_such_a_name_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.audio.test_ffmpeg import encode
    from tests.sounds import music

    monkeypatch.chdir(tmp_path)
    made = encode(tmp_path / "song.m4a", music(2.0, 44_100, channels=2))
    path = made.rename("http:127.0.0.1?100%25 x.m4a")
    assert decoding.probe(Path(path.name)).seconds == pytest.approx(2.0, abs=0.2)
