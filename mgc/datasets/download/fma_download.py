"""``mgc data download``: fetch, verify and unpack FMA's two zips; each step is resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
    _known_names(archives, sources)
    missing = [archive for archive in archives if not _complete(folder, archive, progress)]
    _room(folder, missing, sources)
    for archive in missing:
        _bring(archive, folder, sources, keep_zips, progress, patience)
    faults: dict[str, str] = {}
    for archive in archives:
        faults |= read_json(_note(folder, archive))["faults"]
    return Tree(folder, faults)


def _known_names(archives: Sequence[Archive], sources: Sources) -> None:
    names = [archive.name for archive in archives]
    strange = set(sources.sha1) - set(names)
    if strange:
        raise UsageError(
            f"--sha1 names {sorted(strange)[0]}, but the zips are {' and '.join(names)}.",
            "Write the zip's name before the '='.",
        )


def _unpacked(folder: Path, archive: Archive) -> Path:
    return folder / archive.name.removesuffix(".zip")


def _note(folder: Path, archive: Archive) -> Path:
    """The note next to an unpacked folder: it is complete and was checked."""
    return folder / f".{archive.name.removesuffix('.zip')}.complete.json"


def _wanted(archive: Archive, name: str) -> bool:
    """From the metadata, only the tables that are used; never a pickle."""
    top, _, rest = name.partition("/")
    if top != archive.name.removesuffix(".zip"):
        return False
    return archive is not facts.FMA_METADATA or rest in facts.FMA_METADATA_WANTED


def _complete(folder: Path, archive: Archive, progress: Progress) -> bool:
    """Whether the tree is complete: noted before, or the user's own tree passes its checksums."""
    top = _unpacked(folder, archive)
    needed = list(_listed(top, archive))
    if archive is facts.FMA_METADATA:
        needed += ["tracks.csv", "genres.csv"]
    note = _note(folder, archive)
    if note.exists():
        faults = read_json(note)["faults"]
        needed = [name for name in needed if f"{top.name}/{name}" not in faults]
        return all((top / name).is_file() for name in needed)
    zip_file = folder / archive.name
    under_way = zip_file.exists() or zip_file.with_name(f"{zip_file.name}.part").exists()
    if under_way or not _right_already(top, archive, progress):
        return False
    write_json(note, {"from": "a tree that was there", "faults": {}})
    return True


def _right_already(top: Path, archive: Archive, progress: Progress) -> bool:
    listed = _listed(top, archive)
    if not listed or not all((top / name).is_file() for name in listed):
        return False
    return not _differing(top, listed, progress)


def _listed(top: Path, archive: Archive) -> dict[str, str]:
    """Path below ``top`` → SHA-1, from its ``checksums``; empty if there is no such list."""
    try:
        text = (top / CHECKSUMS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    listed = read_checksums(text)
    prefix = f"{top.name}/"
    return {name: sha1 for name, sha1 in listed.items() if _wanted(archive, prefix + name)}


def read_checksums(text: str) -> dict[str, str]:
    """Lines of ``sha1␠␠path`` → {path: sha1}; other lines are skipped."""
    found = {}
    for line in text.splitlines():
        sha1, _, name = line.strip().partition(" ")
        if len(sha1) == 40 and name.strip():
            found[name.strip().removeprefix("*")] = sha1.lower()
    return found


def _differing(top: Path, listed: Mapping[str, str], progress: Progress) -> list[str]:
    def differs(name: str) -> bool:
        with open(top / name, "rb") as file:
            return hashlib.file_digest(file, "sha1").hexdigest() != listed[name]

    wrong = []
    task = progress.task(f"checking {top.name}", len(listed), "files")
    with task as checking, ThreadPoolExecutor(WORKERS) as pool:
        for name, different in zip(listed, pool.map(differs, listed), strict=True):
            wrong += [name] if different else []
            checking.advance()
    return wrong


def _room(folder: Path, missing: Sequence[Archive], sources: Sources) -> None:
    """Both the zip and its contents must fit; zips from elsewhere are checked later."""
    needed = 0
    for archive in missing:
        if archive.name in sources.sha1:
            continue
        kept = [folder / archive.name, folder / f"{archive.name}.part"]
        there = sum(path.stat().st_size for path in kept if path.exists())
        on_disk = _given(archive, sources) is not None
        needed += archive.size + (0 if on_disk else max(archive.size - there, 0))
    verified_files.need_space(folder, needed, "FMA (the zips and their contents)")


def _bring(
    archive: Archive,
    folder: Path,
    sources: Sources,
    keep_zips: bool,
    progress: Progress,
    patience: Patience,
) -> None:
    given = _given(archive, sources)
    zip_file = given or folder / archive.name
    expected = sources.sha1.get(archive.name, archive.sha1)
    if given:
        found = verified_files.verify(zip_file, expected, progress, notes=folder)
    else:
        exact = archive.exact and archive.name not in sources.sha1
        found = fetch(
            _url(archive, sources),
            zip_file,
            sha1=expected,
            size=archive.size if exact else None,
            progress=progress,
            patience=patience,
        )
    done = _unpack(archive, zip_file, folder, progress)
    record = {"zip_sha1": found, "files": done.written + done.found, "faults": done.faults}
    write_json(_note(folder, archive), record)
    if not given and not keep_zips:
        verified_files.remove(zip_file)


def _given(archive: Archive, sources: Sources) -> Path | None:
    """The zip among ``--from`` that holds this archive's folder."""
    top = archive.name.removesuffix(".zip") + "/"
    for file in sources.files:
        place = file / archive.name if file.is_dir() else file
        if not place.is_file():
            if file.is_dir():
                continue
            raise UsageError(f"--from {file} does not exist.", "Check the path.")
        if any(member.filename.startswith(top) for member in members(place)):
            return place
    return None


def _url(archive: Archive, sources: Sources) -> str:
    """The address of a zip: given directly, or below a given folder, or below FMA's."""
    metadata = archive is facts.FMA_METADATA
    single = [url for url in sources.urls if url.partition("?")[0].endswith(".zip")]
    for url in single:
        if ("metadata" in url.rpartition("/")[2]) == metadata:
            return url
    folders = [url for url in sources.urls if url not in single]
    return f"{(folders or [facts.FMA_URL])[0].rstrip('/')}/{archive.name}"


def _unpack(archive: Archive, zip_file: Path, folder: Path, progress: Progress) -> Unpacked:
    top = archive.name.removesuffix(".zip")
    inside = {member.filename: member for member in members(zip_file)}
    if not any(_wanted(archive, name) for name in inside):
        raise MgcError(f"{zip_file} holds no folder {top}.", f"Give the zip named {archive.name}.")
    listing = inside.get(f"{top}/{CHECKSUMS}")
    listed = {}
    if listing:
        text = read_member(zip_file, listing).decode("utf-8", "replace")
        listed = {f"{top}/{name}": sha1 for name, sha1 in read_checksums(text).items()}
    done = unpack(
        zip_file,
        folder,
        wanted=lambda name: _wanted(archive, name),
        checksums=listed,
        progress=progress,
    )
    absent = {
        name: "listed in checksums, but not in the zip"
        for name in listed
        if name not in inside and _wanted(archive, name)
    }
    return Unpacked(done.written, done.found, {**done.faults, **absent})


def bad_clips(tree: Tree) -> dict[str, str]:
    """Track id → reason, for the clips among a tree's faults."""
    return {
        str(int(Path(name).stem)): reason
        for name, reason in tree.faults.items()
        if Path(name).suffix == ".mp3" and Path(name).stem.isdigit()
    }
