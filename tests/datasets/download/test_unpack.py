import bz2
import hashlib
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from mgc.datasets.download import verified_files
from mgc.datasets.download.unpack import members, read_member, unpack
from mgc.errors import MgcError

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
FILES = {
    "top/000/a.bin": np.random.default_rng(1).bytes(700_000),
    "top/000/b.bin": b"",
    "top/001/c.bin": b"la" * 10_000,
}


def made(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_BZIP2) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("top")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_tree(tmp_path: Path, method: int) -> None:
    path = made(tmp_path / "a.zip", FILES, method)
    done = unpack(path, tmp_path / "out")
    assert tree(tmp_path / "out") == FILES
    assert (done.written, done.found, done.faults) == (3, 0, {})
    again = unpack(path, tmp_path / "out")
    assert (again.written, again.found) == (0, 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_any_bytes_survive(tmp_path: Path, method: int, seed: int) -> None:
    """Runs and noise of lengths around the size of a chunk, where decompressors are tricky."""
    random = np.random.default_rng(seed)
    content = b"".join(
        bytes([random.integers(256)]) * int(random.integers(1, 300_000))
        if random.random() < 0.5
        else random.bytes(int(random.integers(1, 300_000)))
        for _ in range(6)
    )
    path = made(tmp_path / "a.zip", {"x": content}, method)
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out" / "x").read_bytes() == content


def test_what_is_missing_or_spoilt_is_unpacked_again(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", FILES)
    unpack(path, tmp_path / "out")
    (tmp_path / "out/top/000/b.bin").unlink()
    (tmp_path / "out/top/001/c.bin").write_bytes(b"lo" * 10_000)  # as long, but other bytes
    (tmp_path / "out/top/000/.a.bin.part").write_bytes(b"left by a kill")
    (tmp_path / "out/top/000/a.bin").unlink()
    done = unpack(path, tmp_path / "out")
    assert (done.written, done.found) == (3, 0)
    assert tree(tmp_path / "out") == FILES


def test_only_what_is_wanted_is_written(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", FILES)
    unpack(path, tmp_path / "out", wanted=lambda name: "000" in name)
    assert set(tree(tmp_path / "out")) == {"top/000/a.bin", "top/000/b.bin"}


def test_checksums_are_compared(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", FILES)
    sums = {name: hashlib.sha1(content).hexdigest() for name, content in FILES.items()}
    sums["top/001/c.bin"] = "0" * 40
    for _ in range(2):  # a second call says it again
        done = unpack(path, tmp_path / "out", checksums=sums)
        assert list(done.faults) == ["top/001/c.bin"]
        assert "as listed in checksums" in done.faults["top/001/c.bin"]
        assert done.written + done.found == 2


@pytest.mark.parametrize(
    "name",
    ["../evil", "top/../../evil", "/etc/evil", "top\\..\\evil", "C:/evil", "top/a/../../../evil"],
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/good", b"good")
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"evil")
    with pytest.raises(MgcError, match="points outside its folder") as caught:
        unpack(path, tmp_path / "deep" / "out")
    assert "Nothing was written" in caught.value.message
    assert not (tmp_path / "deep").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("top/link")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(MgcError, match="is not a regular file"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_is_already_in_the_target_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (tmp_path / "out/top/001").mkdir(parents=True)
    os.symlink(outside, tmp_path / "out/top/001/c.bin")
    unpack(made(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert outside.read_bytes() == b"mine"
    assert tree(tmp_path / "out") == FILES


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("top/a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("top/a", b"2")
    with pytest.raises(MgcError, match="occurs twice"):
        unpack(path, tmp_path / "out")


def test_unknown_methods_and_encryption_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="unknown compression method"):
        members(made(tmp_path / "a.zip", FILES, zipfile.ZIP_LZMA))
    path = made(tmp_path / "b.zip", {"a": b"1"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last member
    path.write_bytes(bytes(content))
    with pytest.raises(MgcError, match="is encrypted"):
        members(path)


def headers_say(path: Path, size: int, **more: int) -> None:
    """Change what the only member's two headers say of its size."""
    content = bytearray(path.read_bytes())
    local, central = 0, content.rindex(b"PK\x01\x02")
    for at, crc in ((local + 22, local + 14), (central + 24, central + 16)):
        content[at : at + 4] = struct.pack("<I", size)
        if "crc" in more:
            content[crc : crc + 4] = struct.pack("<I", more["crc"])
    path.write_bytes(bytes(content))


def single(path: Path, content: bytes, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("top", content)
    return path


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_member_larger_than_its_header_is_a_fault(tmp_path: Path, method: int) -> None:
    content = bytes(5_000_000)
    path = single(tmp_path / "a.zip", content, method)
    headers_say(path, 1000, crc=zlib.crc32(content[:1000]))
    done = unpack(path, tmp_path / "out")
    assert "holds more than the 1,000 bytes" in done.faults["top"]
    assert not tree(tmp_path / "out")


def test_a_member_smaller_than_its_header_is_a_fault(tmp_path: Path) -> None:
    path = single(tmp_path / "a.zip", b"abc" * 1000, zipfile.ZIP_BZIP2)
    headers_say(path, 3001)
    done = unpack(path, tmp_path / "out")
    assert "ends 1 bytes early" in done.faults["top"]
    assert not tree(tmp_path / "out")


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = single(tmp_path / "a.zip", bytes(50_000_000), zipfile.ZIP_BZIP2)
    assert path.stat().st_size < 1000
    with pytest.raises(MgcError, match="claims to unpack to 50,000,000 bytes"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_hides_its_size_costs_no_memory(tmp_path: Path) -> None:
    """45 MB of zeros in some 40 bytes: read a small step at a time, and stopped."""
    import tracemalloc

    packed = bz2.compress(bytes(60_000_000))
    path = single(tmp_path / "a.zip", b"x" * len(packed), zipfile.ZIP_STORED)
    content = path.read_bytes().replace(b"x" * len(packed), packed)
    at = content.rindex(b"PK\x01\x02")
    content = content[:8] + b"\x0c\0" + content[10 : at + 10] + b"\x0c\0" + content[at + 12 :]
    path.write_bytes(content)
    tracemalloc.start()
    done = unpack(path, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "holds more than" in done.faults["top"]
    assert peak < 5_000_000


@pytest.mark.parametrize("cut", [10, 300, 100_000, 600_000])
def test_a_truncated_zip_is_no_zip(tmp_path: Path, cut: int) -> None:
    path = made(tmp_path / "a.zip", FILES)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(MgcError, match="is not a complete zip"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(MgcError, match="is not a complete zip"):
        members(tmp_path / "a.zip")
    with pytest.raises(MgcError, match="is not a complete zip"):
        members(tmp_path / "absent.zip")


@pytest.mark.parametrize("method", METHODS)
def test_spoilt_bytes_are_a_fault_of_that_member_only(tmp_path: Path, method: int) -> None:
    path = made(tmp_path / "a.zip", FILES, method)
    content = bytearray(path.read_bytes())
    content[200_000] ^= 0xFF  # inside a.bin
    path.write_bytes(bytes(content))
    done = unpack(path, tmp_path / "out")
    assert list(done.faults) == ["top/000/a.bin"]
    assert "damaged in the zip" in done.faults["top/000/a.bin"]
    assert set(tree(tmp_path / "out")) == {"top/000/b.bin", "top/001/c.bin"}


def test_a_header_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    path = single(tmp_path / "a.zip", b"abc" * 100, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[0:4] = b"NOPE"
    path.write_bytes(bytes(content))
    assert "header is not where" in unpack(path, tmp_path / "out").faults["top"]
    with pytest.raises(MgcError, match="'top' is damaged"):
        read_member(path, members(path)[0])


def test_a_full_disk_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified_files, "RESERVE", 1 << 60)
    with pytest.raises(MgcError, match=r"Unpacking a\.zip needs 720\.0 kB"):
        unpack(made(tmp_path / "a.zip", FILES), tmp_path / "out")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "top").write_bytes(b"a file where a folder should be")
    with pytest.raises(MgcError, match="Cannot write"):
        unpack(made(tmp_path / "a.zip", FILES), tmp_path / "out")
