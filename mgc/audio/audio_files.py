"""Which files of a folder are audio, and what in it was passed over."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mgc.errors import UsageError

LIBSNDFILE = (
    *(".mp1", ".mp2", ".mp3", ".mpga", ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac"),
    *(".ogg", ".oga", ".opus", ".au", ".snd", ".aif", ".aiff", ".aifc", ".caf", ".voc", ".sph"),
    *(".nist", ".sf", ".ircam", ".paf", ".pvf", ".avr", ".svx", ".8svx"),
)
FFMPEG = (
    *(".m4a", ".m4b", ".m4r", ".mp4", ".aac", ".adts", ".3gp", ".3g2", ".wma", ".asf", ".mka"),
    *(".webm", ".weba", ".ac3", ".eac3", ".ec3", ".dts", ".mlp", ".thd", ".ape", ".wv", ".tta"),
    *(".tak", ".mpc", ".mp+", ".mpp", ".shn", ".dsf", ".dff", ".qoa", ".oma", ".spx", ".amr"),
    *(".awb", ".ra", ".rm"),
)
#: What `mgc data add` and `mgc predict` recognise as music in a folder.
SUFFIXES = frozenset({*LIBSNDFILE, *FFMPEG})
#: Notes and lists without sound, trackers, protected or undecodable audio, films: counted, but not
#: taken.
NOT_TAKEN = frozenset(
    {
        *(".mid", ".midi", ".kar", ".rmi", ".mod", ".xm", ".it", ".s3m", ".sid", ".nsf", ".spc"),
        *(".aa", ".aax", ".m4p", ".ofr", ".la", ".lpac", ".cda", ".cue", ".wvx", ".rx2"),
        *(".avi", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".vob"),
    }
)
SYSTEM = ("/dev", "/proc", "/sys")  # hold no music, and some of their files never end
NOT_AUDIO, UNREADABLE = "not taken for audio", "folder that cannot be read"


@dataclass(frozen=True)
class Search:
    """What is below a folder.

    Attributes:
        files: every file with the suffix of an audio format, in a stable order.
        unreadable: folders that could not be read, and why.
        not_taken: how many files look like audio but have a suffix that is not taken.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    not_taken: Counter[str] = field(default_factory=Counter)

    def left_out(self) -> dict[str, int]:
        """What was passed over, in words, with counts of files or folders (see `unit`)."""
        kinds = ", ".join(sorted(self.not_taken))
        counts = {f"{NOT_AUDIO}: {kinds}": self.not_taken.total(), UNREADABLE: len(self.unreadable)}
        return {what: count for what, count in counts.items() if count}

    def unread(self) -> list[str]:
        """A line for each folder that could not be read."""
        return [f"{folder} cannot be read ({why})" for folder, why in self.unreadable.items()]


def unit(left_out: str) -> str:
    """What a count of `Search.left_out` counts; everything else that is left out are tracks."""
    if left_out.startswith(NOT_AUDIO):
        return "file"
    return "folder" if left_out == UNREADABLE else "track"


def collect(paths: Sequence[Path]) -> list[Path]:
    """The audio files among these files and folders; folders are searched recursively.

    A folder that cannot be read is among them, so that it is reported like a file that cannot be
    used. Raises UsageError if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        try:
            folder = stat.S_ISDIR(os.stat(path).st_mode)
        except FileNotFoundError as error:
            raise UsageError(f"{path} does not exist.", "Check the path.") from error
        except OSError:
            folder = False  # decoding reports why
        if folder:
            below = search(path)
            found += [*below.unreadable, *below.files]
        else:
            found.append(path)
    if not found:
        raise UsageError(
            f"There is no audio in {', '.join(map(str, paths))}.",
            "mgc reads mp3, wav, flac, ogg and more.",
        )
    return list(dict.fromkeys(found))


def audio_files(path: Path) -> list[Path]:
    """Every file below ``path`` with the suffix of an audio format, in a stable order."""
    return search(path).files


def search(path: Path) -> Search:
    """Look for audio below ``path``; links are followed, hidden files and folders are not."""
    found, seen = Search(), {os.path.realpath(path), *SYSTEM}

    def passed_over(error: OSError) -> None:
        found.unreadable[Path(error.filename)] = str(error.strerror)

    for folder, inner, files in os.walk(path, onerror=passed_over, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        inner[:] = [name for name in inner if _first_visit(Path(folder, name), seen)]
        for file in (Path(folder, name) for name in sorted(files) if not name.startswith(".")):
            suffix = file.suffix.lower()
            if suffix in SUFFIXES:
                found.files.append(file)
            elif suffix in NOT_TAKEN:
                found.not_taken[suffix] += 1
            elif file.is_symlink():
                _note_lost_link(file, found)
    return found


def _note_lost_link(link: Path, found: Search) -> None:
    """A link to a folder on a disk that is not there, or may not be read, is not a file either."""
    try:
        os.stat(link)
    except OSError as error:
        found.unreadable[link] = str(error.strerror)


def _first_visit(folder: Path, seen: set[str]) -> bool:
    """Follow links safely: they may form a cycle, or lead to one folder twice."""
    real = os.path.realpath(folder)
    if real in seen:
        return False
    seen.add(real)
    return True
