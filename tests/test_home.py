"""Writing whole or not at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgc.errors import MgcError
from mgc.home import (
    problem_of,
    read_json,
    replace_file,
    replace_together,
    replacing,
    temporary_folder,
    write_json,
)


def test_content_comes_in_one_piece_or_in_several(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    replace_file(path, b"one")
    assert path.read_bytes() == b"one"
    replace_file(path, [b"two ", memoryview(b"three")])
    assert path.read_bytes() == b"two three"
    replace_file(path, memoryview(b"four"))
    assert path.read_bytes() == b"four"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, broken())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MgcError, match=r"Cannot write .*file/below") as caught:
        replace_file(tmp_path / "file" / "below", b"", "Choose another.")
    assert caught.value.hint == "Choose another."


def test_files_that_cannot_all_be_replaced_stay_as_they_were(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    replace_together(record, {"n": 1}, {"a": b"1"})
    (tmp_path / "below").write_text("a file where a folder should be")
    with pytest.raises(MgcError, match="Cannot write"):
        replace_together(record, {"n": 2}, {"a": b"2", "below/b": b"2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "below", "record.json"]
    assert (read_json(record)["n"], (tmp_path / "a").read_bytes()) == (1, b"1")


def test_json_is_read_back(tmp_path: Path) -> None:
    record = {"é": [1.5, None], "b": {"c": True}}
    write_json(tmp_path / "a.json", record)
    assert read_json(tmp_path / "a.json") == record
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert read_json(tmp_path / "a.json") == record


def test_a_device_and_a_pipe_are_refused_before_they_are_opened(tmp_path: Path) -> None:
    (tmp_path / "device").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    for name in ("device", "pipe"):
        with pytest.raises(MgcError, match=rf"{name} cannot be read: it is not a regular file"):
            read_json(tmp_path / name)
        assert problem_of(tmp_path, name, {}) == f"{name} is missing"


MAKES_A_FOLDER = """
import sys
from pathlib import Path
from mgc.home import temporary_folder
with temporary_folder(Path(sys.argv[1])) as made:
    (made / "inside").mkdir()
    print(made, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_killed_process_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKES_A_FOLDER, str(tmp_path)]

    def started() -> tuple[subprocess.Popen[str], Path]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().rstrip())

    (alive, kept), (killed, left) = started(), started()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()
    foreign = left.with_name(left.name.replace(".mgc-", ".other-"))
    foreign.mkdir()  # of another program in the same folder
    with temporary_folder(tmp_path) as own:
        assert set(tmp_path.iterdir()) == {kept, own, foreign}
    alive.communicate("")
    assert list(tmp_path.iterdir()) == [foreign]
