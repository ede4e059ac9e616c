"""The pictures of ``mgc features show`` and ``compare``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mgc.cli.ui import output
from mgc.cli.ui.options import refuse_unused
from mgc.errors import MgcError, UsageError, unknown

if TYPE_CHECKING:
    from mgc.features.extractor_spec import ExtractorSpec

MAX_TRACKS = 16  # side by side; more are too narrow to read


@dataclass(frozen=True)
class FeatureDrawing:
    """Which features of tracks to draw, and where to save the picture."""

    extractors: Sequence[str]
    data: str | None
    settings: Sequence[str] | None
    clip: int
    clip_seconds: float | None
    out: Path | None
    opened: bool

    def one(self, name: str) -> None:
        """Draw features of one track, one below the other."""
        path, title = self._found([name])[0]
        sources = self._sources()
        from mgc.reporting import feature_plots

        made = feature_plots.pictures(path, sources, self.clip)
        self._save(feature_plots.draw(made, title), _file_name(path.stem))

    def several(self, names: Sequence[str]) -> None:
        """Draw features of tracks side by side; an unusable file is reported and left out."""
        found = self._found(names) or _one_of_each(self.data)
        if len(found) > MAX_TRACKS:
            raise UsageError(
                f"{len(found)} tracks do not fit side by side.", f"Name at most {MAX_TRACKS}."
            )
        sources = self._sources()
        from mgc.reporting import feature_plots

        columns = []
        for path, title in found:
            try:
                columns.append((title, feature_plots.pictures(path, sources, self.clip)))
            except UsageError:
                raise
            except MgcError as error:
                output.note(f"Left out: {error.message}")
        if not columns:
            raise MgcError("None of these files could be used.", "See the reasons above.")
        self._save(feature_plots.draw_grid(columns), "compare")

    def _found(self, names: Sequence[str]) -> list[tuple[Path, str]]:
        """The file and caption of each track, once the extractors' names have been checked."""
        from mgc import resolve

        resolve.check_settings(self.extractors, [], self.settings)
        if names and all(Path(name).expanduser().is_file() for name in names):
            refuse_unused("on files", {"--data": self.data})
        return [_track(name, self.data) for name in names]

    def _sources(self) -> list[ExtractorSpec]:
        from mgc import resolve

        policy = resolve.policy(self.clip_seconds, None)
        return resolve.sources(self.extractors, self.settings, policy, "cpu")

    def _save(self, figure: Any, stem: str) -> None:
        from mgc.reporting import plots

        path = self.out or Path(f"{stem}-{'-'.join(self.extractors)}.png")
        plots.save(figure, path)
        output.say(f"Written: {path}")
        if self.opened:
            typer.launch(str(path))


def _track(name: str, data: str | None) -> tuple[Path, str]:
    """The file of a track, and its caption in a picture. Raises UsageError for an unknown one."""
    path = Path(name).expanduser()
    if path.is_file():
        return path, path.name
    from mgc import resolve
    from mgc.datasets import table

    try:
        dataset_name = resolve.dataset_name(data)
    except UsageError as error:
        if data is not None:
            raise
        raise UsageError(
            f"There is no file {name}, and no dataset in which to look for a track {name!r}.",
            "Give the path of a file, or a dataset: --data NAME",
        ) from error
    ids = table.track_ids(dataset_name)
    if name not in ids:
        hint = "mgc data show, or give the path of a file"
        raise unknown(f"file, and no track of dataset {dataset_name!r},", name, ids, hint)
    dataset = table.load(dataset_name)
    same = [track_id == name for track_id in dataset.tracks["track_id"]]  # pandas takes UTF-8 only
    row = dataset.tracks[same].iloc[0]
    return dataset.root / row["path"], _title(row)


def _one_of_each(data: str | None) -> list[tuple[Path, str]]:
    """The first track of each genre."""
    from mgc import resolve

    dataset = resolve.dataset(data)
    firsts = dataset.tracks.groupby("genre", sort=True).head(1).sort_values("genre")
    return [(dataset.root / row["path"], _title(row)) for _, row in firsts.iterrows()]


def _title(row: Any) -> str:
    return f"{row['title'] or row['track_id']} ({row['genre']})"


def _file_name(stem: str) -> str:
    """A name that is a single plain file here, whatever the track is called."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:80] or "track"
