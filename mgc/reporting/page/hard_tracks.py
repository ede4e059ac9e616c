"""What a hard track looks and sounds like: its picture and its clip, as parts of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib import colormaps
from PIL import Image

from mgc.audio import decoding
from mgc.errors import MgcError
from mgc.evaluation.hardest import HardTrack
from mgc.features.extractor_spec import ExtractorSpec
from mgc.prediction.similar import Neighbour
from mgc.progress import Progress
from mgc.reporting.colours import PICTURE
from mgc.reporting.feature_plots import Picture, levelled, pictures, ticks, value_range

PICTURE_COLUMNS = 480  # pixels: the width of a card on a high-resolution screen
PICTURE_QUALITY = 55  # of WebP; its artefacts are hidden by a spectrogram's noise
SOUND_RATE = 22_050  # Hz
SOUND_LEVEL = 0.7  # of MP3's compression in [0, 1): about 40 kbit/s


@dataclass(frozen=True)
class Part:
    """A hard track on the page.

    Attributes:
        track: the track.
        file: the file's name.
        near: the tracks that a run finds most similar, nearest first.
        picture: data URI, or "".
        rows: ticks of the feature axis: (height in percent, text).
        times: ticks of the time axis: (place in percent, text).
        axis: what the feature axis shows.
        sound: data URI of the clip, or "".
        problem: why there is no picture or sound, else "".
    """

    track: HardTrack
    file: str
    near: Sequence[Neighbour]
    picture: str = ""
    rows: Sequence[tuple[float, str]] = ()
    times: Sequence[tuple[float, str]] = ()
    axis: str = ""
    sound: str = ""
    problem: str = ""


def parts(
    tracks: Sequence[HardTrack],
    near: Mapping[str, Sequence[Neighbour]],
    source: ExtractorSpec | None,
    sound: bool,
    progress: Progress,
) -> list[Part]:
    """Draw and encode the first clip of each track; missing or bad files are reported."""
    made = []
    with progress.task("listening to the hardest tracks", len(tracks), "tracks") as task:
        for track in tracks:
            made.append(_part(track, near.get(track.track_id, ()), source, sound))
            task.advance()
    return made


def _part(
    track: HardTrack, near: Sequence[Neighbour], source: ExtractorSpec | None, sound: bool
) -> Part:
    path = Path(track.path)
    if source is None:
        return Part(track, path.name, near)
    try:
        (picture,) = levelled(pictures(path, [source]))
        heard = _sound(path, picture) if sound else ""
    except MgcError as error:
        return Part(track, path.name, near, problem=error.message.replace(str(path), path.name))
    timed = picture.kind == "sequence"
    return Part(
        track,
        path.name,
        near,
        picture=_image(picture),
        rows=_row_ticks(picture) if timed else (),
        times=_time_ticks(picture) if timed else (),
        axis=picture.axis,
        sound=heard,
    )


def _image(picture: Picture) -> str:
    """The feature alone as WebP, without axes: the page draws those in its own colours."""
    values = np.atleast_2d(picture.values)
    low, high = value_range([values])
    shares = np.clip((_fewer_columns(values) - low) / max(high - low, 1e-9), 0, 1)
    pixels = (255 * colormaps[PICTURE](shares[::-1])[..., :3]).astype(np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "WEBP", quality=PICTURE_QUALITY, method=6)
    return _data_uri("image/webp", made.getvalue())


def _fewer_columns(values: np.ndarray) -> np.ndarray:
    """Means of neighbouring frames if there are more frames than pixels."""
    count = values.shape[1]
    if count <= PICTURE_COLUMNS:
        return values
    edges = np.linspace(0, count, PICTURE_COLUMNS + 1).astype(int)
    return np.asarray(np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges))


def _row_ticks(picture: Picture) -> list[tuple[float, str]]:
    where, texts = ticks(picture.places)
    count = len(picture.values)
    kept = [(100 * (place + 0.5) / count, text) for place, text in zip(where, texts, strict=True)]
    return kept if len(kept) <= 6 else kept[::2]


def _time_ticks(picture: Picture) -> list[tuple[float, str]]:
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 60) if picture.seconds / s <= 6), 120)
    first = np.ceil(picture.start / step) * step
    times = np.arange(first, picture.start + 0.97 * picture.seconds, step)
    return [(float(100 * (t - picture.start) / picture.seconds), f"{t:g}") for t in times]


def _sound(path: Path, picture: Picture) -> str:
    """The clip that the picture shows, mono, as MP3, which every browser plays."""
    wave, _ = decoding.decode(path, SOUND_RATE, start=picture.start, seconds=picture.seconds)
    made = io.BytesIO()
    # libsndfile before 1.1 cannot write MP3; Vorbis plays in all browsers but Apple's old ones.
    mp3 = "MP3" in soundfile.available_formats()
    options: dict[str, Any] = {"compression_level": SOUND_LEVEL} if mp3 else {}
    format_ = "MP3" if mp3 else "OGG"
    soundfile.write(made, np.clip(wave, -1, 1), SOUND_RATE, format=format_, **options)
    return _data_uri("audio/mpeg" if mp3 else "audio/ogg", made.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
