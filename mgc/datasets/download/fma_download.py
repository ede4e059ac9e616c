"""``mgc data download``: fetch, verify and unpack FMA's two zips; each step is resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from mgc.datasets.download import verified_files
from mgc.datasets.download.fetch import USUAL, Patience, fetch
from mgc.datasets.download.unpack import WORKERS, Unpacked, members, read_member, unpack
from mgc.datasets.importers import facts
from mgc.datasets.importers.facts import Archive
from mgc.errors import MgcError, UsageError
from mgc.home import home, read_json, write_json
from mgc.progress import Progress, Silent

CHECKSUMS = "checksums"


@dataclass(frozen=True)
class Sources:
    """Where zips come from, if not from FMA's own host.

    Attributes:
        urls: folders that hold both zips, or addresses of single zips.
        files: zips on disk.
        sha1: SHA-1 by zip name, instead of the published one.
    """

    urls: Sequence[str] = ()
    files: Sequence[Path] = ()
    sha1: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """A downloaded tree: its folder, and the faulty files in it."""

    folder: Path
    faults: dict[str, str]


def default_folder() -> Path:
    """Where a download goes without ``--to``."""
    return home() / "downloads" / "fma"


def read_sha1(assignments: Sequence[str]) -> dict[str, str]:
    """``["fma_small.zip=ade1…"]`` → {"fma_small.zip": "ade1…"}. Raises UsageError."""
    found = {}
    for text in assignments:
        name, _, value = text.rpartition("=")
        value = value.strip().lower()
        if len(value) != 40 or set(value) - set("0123456789abcdef") or not name.strip():
            raise UsageError(
                f"--sha1 {text!r} is not NAME.zip=SHA1.",
                f"For example: --sha1 {facts.FMA_METADATA.name}={facts.FMA_METADATA.sha1}",
            )
        found[Path(name.strip()).name] = value
    return found


def download(
    subset: str,
    folder: Path | None = None,
    *,
    sources: Sources | None = None,
    keep_zips: bool = False,
    progress: Progress | None = None,
    patience: Patience = USUAL,
) -> Tree:
    """Bring ``fma_<subset>`` and ``fma_metadata`` into a folder; finished steps are not repeated.

    Args:
        subset: small, medium, large or full.
        folder: the target; default: below the home folder.
        sources: other sources of the zips.
        keep_zips: keep the fetched zips next to the tree.
        progress: informed about megabytes.
        patience: how long to keep trying a connection.

    Raises:
        MgcError: no space, no connection, wrong bytes, an unsafe zip. Finished work is kept.
    """
    folder = (folder or default_folder()).expanduser().absolute()
    sources, progress = sources or Sources(), progress or Silent()
    archives = [facts.FMA_METADATA, facts.FMA_AUDIO[subset]]
    _check_names([archive.name for archive in archives], sources)
    tops = [_Top(archive, folder, sources, progress) for archive in archives]
    missing = [top for top in tops if not top.is_complete()]
    needed = sum(top.needed_space() for top in missing)
    verified_files.need_space(folder, needed, "FMA (the zips and their contents)")
    for top in missing:
        top.bring(keep_zips, patience)
    faults: dict[str, str] = {}
    for top in tops:
        faults |= read_json(top.note)["faults"]
    return Tree(folder, faults)


def _check_names(names: Sequence[str], sources: Sources) -> None:
    if strange := sorted(set(sources.sha1) - set(names)):
        raise UsageError(
            f"--sha1 names {strange[0]}, but the zips are {' and '.join(names)}.",
            "Write the zip's name before the '='.",
        )


@dataclass(frozen=True)
class _Top:
    """One of the tree's two folders, and the zip that it comes from."""

    archive: Archive
    folder: Path
    sources: Sources
    progress: Progress

    @property
    def name(self) -> str:
        return self.archive.name.removesuffix(".zip")

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def note(self) -> Path:
        """The note next to the folder: it is complete and was checked."""
        return self.folder / f".{self.name}.complete.json"

    def wants(self, member: str) -> bool:
        """From the metadata, only the tables that are used; never a pickle."""
        top, _, rest = member.partition("/")
        if top != self.name:
            return False
        return self.archive is not facts.FMA_METADATA or rest in facts.FMA_METADATA_WANTED

    def is_complete(self) -> bool:
        """Whether it was noted before, or is the user's own and passes its checksums."""
        listed = self._listed()
        if self.note.exists():
            tables = ["tracks.csv", "genres.csv"] if self.archive is facts.FMA_METADATA else []
            faults = read_json(self.note)["faults"]
            needed = [name for name in [*listed, *tables] if f"{self.name}/{name}" not in faults]
            return self._has(needed)
        zip_file = self.folder / self.archive.name
        under_way = zip_file.exists() or zip_file.with_name(f"{zip_file.name}.part").exists()
        if under_way or not listed or not self._has(listed) or self._differs(listed):
            return False
        write_json(self.note, {"from": "a tree that was there", "faults": {}})
        return True

    def _has(self, names: Iterable[str]) -> bool:
        return all((self.path / name).is_file() for name in names)

    def _listed(self) -> dict[str, str]:
        """Path below the folder → SHA-1, from its ``checksums``; empty if it has no such list."""
        try:
            text = (self.path / CHECKSUMS).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
        listed = read_checksums(text)
        return {name: sha1 for name, sha1 in listed.items() if self.wants(f"{self.name}/{name}")}

    def _differs(self, listed: Mapping[str, str]) -> bool:
        def right(name: str) -> bool:
            with open(self.path / name, "rb") as file:
                return hashlib.file_digest(file, "sha1").hexdigest() == listed[name]

        all_right = True
        task = self.progress.task(f"checking {self.name}", len(listed), "files")
        with task as checking, ThreadPoolExecutor(WORKERS) as pool:
            for one_right in pool.map(right, listed):
                all_right &= one_right
                checking.advance()
        return not all_right

    def needed_space(self) -> int:
        """Bytes for both the zip and its contents; a zip from elsewhere is checked later."""
        if self.archive.name in self.sources.sha1:
            return 0
        size = self.archive.size
        if self.given is not None:
            return size
        kept = [self.folder / self.archive.name, self.folder / f"{self.archive.name}.part"]
        return size + max(size - sum(path.stat().st_size for path in kept if path.exists()), 0)

    def bring(self, keep_zips: bool, patience: Patience) -> None:
        """Fetch and verify the zip, and unpack it."""
        zip_file = self.given or self.folder / self.archive.name
        own_sha1 = self.sources.sha1.get(self.archive.name)
        sha1 = own_sha1 or self.archive.sha1
        if self.given:
            found = verified_files.verify(zip_file, sha1, self.progress, notes=self.folder)
        else:
            size = self.archive.size if self.archive.exact and not own_sha1 else None
            url, progress = self._url(), self.progress
            found = fetch(url, zip_file, sha1=sha1, size=size, progress=progress, patience=patience)
        done = self._unpack(zip_file)
        record = {"zip_sha1": found, "files": done.written + done.found, "faults": done.faults}
        write_json(self.note, record)
        if not self.given and not keep_zips:
            verified_files.remove(zip_file)

    @cached_property
    def given(self) -> Path | None:
        """The zip among ``--from`` that holds this folder."""
        for file in self.sources.files:
            place = file / self.archive.name if file.is_dir() else file
            if not place.is_file():
                if file.is_dir():
                    continue
                raise UsageError(f"--from {file} does not exist.", "Check the path.")
            if any(member.filename.startswith(f"{self.name}/") for member in members(place)):
                return place
        return None

    def _url(self) -> str:
        """The address of the zip: given directly, or below a given folder, or below FMA's."""
        metadata = self.archive is facts.FMA_METADATA
        single = [url for url in self.sources.urls if url.partition("?")[0].endswith(".zip")]
        for url in single:
            if ("metadata" in url.rpartition("/")[2]) == metadata:
                return url
        folders = [url for url in self.sources.urls if url not in single]
        return f"{(folders or [facts.FMA_URL])[0].rstrip('/')}/{self.archive.name}"

    def _unpack(self, zip_file: Path) -> Unpacked:
        inside = {member.filename: member for member in members(zip_file)}
        if not any(map(self.wants, inside)):
            hint = f"Give the zip named {self.archive.name}."
            raise MgcError(f"{zip_file} holds no folder {self.name}.", hint)
        listed = {}
        if listing := inside.get(f"{self.name}/{CHECKSUMS}"):
            text = read_member(zip_file, listing).decode("utf-8", "replace")
            listed = {f"{self.name}/{name}": sha1 for name, sha1 in read_checksums(text).items()}
        done = unpack(
            zip_file, self.folder, wanted=self.wants, checksums=listed, progress=self.progress
        )
        absent = {
            name: "listed in checksums, but not in the zip"
            for name in listed
            if name not in inside and self.wants(name)
        }
        return replace(done, faults={**done.faults, **absent})


def read_checksums(text: str) -> dict[str, str]:
    """Lines of ``sha1␠␠path`` → {path: sha1}; other lines are skipped."""
    found = {}
    for line in text.splitlines():
        sha1, _, name = line.strip().partition(" ")
        if len(sha1) == 40 and name.strip():
            found[name.strip().removeprefix("*")] = sha1.lower()
    return found


def bad_clips(tree: Tree) -> dict[str, str]:
    """Track id → reason, for the clips among a tree's faults."""
    return {
        str(int(Path(name).stem)): reason
        for name, reason in tree.faults.items()
        if Path(name).suffix == ".mp3" and Path(name).stem.isdigit()
    }
