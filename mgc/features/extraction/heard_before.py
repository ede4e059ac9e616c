"""Whether features that an earlier rule of hearing made are those of all that a file holds.

A store of the first version does not say how long it took a track to be. It can be told: the
length that the header claims, unless several clips did not fit in what is there, which was counted
then. Where that is the length that is counted now, and the clips are those of such a track, the
features are right.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import soundfile

from mgc.audio import decoders, decoding
from mgc.audio.clip_policy import ClipPolicy, too_short
from mgc.audio.containers.contents import SLACK_SECONDS
from mgc.audio.sound_length import HEARING_REVISION
from mgc.errors import AudioError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store.shards import Origin, Row

#: Why tracks are extracted again.
IN_PART = "heard in part by an earlier version"
OTHER_PYAV = "decoded by another version of PyAV"


def present(path: Path, source: ExtractorSpec, audio_hash: str) -> Origin | str:
    """Look at stored features that are not of the present rule of hearing and decoders.

    Returns how the present ones hear the file if that gives the same features; else why they must
    be made again, or "" if that is not possible here: they stay.
    """
    origin = source.store.origin(audio_hash)
    if origin.hearing >= HEARING_REVISION:
        return OTHER_PYAV
    try:
        with decoders.noting() as hearing:
            length = decoding.probe(path).seconds
    except AudioError as error:
        return "" if decoders.is_outside(error) else IN_PART
    taken = origin.seconds or _taken(path, source.policy, length)
    if abs(taken - length) > SLACK_SECONDS:
        return IN_PART
    if not _fits(source, source.store.rows[audio_hash], length):
        return IN_PART
    return Origin(HEARING_REVISION, hearing.pyav, round(length, 3))


def _taken(path: Path, policy: ClipPolicy, length: float) -> float:
    """The length that version 0.1 took a file to have."""
    claimed = _claimed(path)
    if claimed <= 0 or (claimed > length and len(policy.starts(claimed)) > 1):
        return length
    return claimed


def _claimed(path: Path) -> float:
    """What the header says, as the first decoder that opens the file reads it."""
    try:
        with soundfile.SoundFile(os.fsencode(path.absolute())) as file:
            return float(file.frames / file.samplerate)
    except (soundfile.LibsndfileError, OSError):
        import av

        from mgc.audio import ffmpeg
    with av.open(ffmpeg.local(path), options=ffmpeg.LOCAL) as container:
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def _fits(source: ExtractorSpec, rows: Sequence[Row], length: float) -> bool:
    """Whether there are as many clips, and as long ones, as a track of this length has."""
    policy, rate = source.policy, source.info.sample_rate
    clips = [min(policy.seconds, length - start) for start in policy.starts(length)]
    clips = [seconds for seconds in clips if not too_short(round(seconds * rate), rate)]
    if len(rows) != len(clips) or source.kind != "sequence":
        return len(rows) == len(clips)
    slack = source.frame_count(round(SLACK_SECONDS * rate)) + 1
    return all(
        abs(row.shape[1] - source.frame_count(round(seconds * rate))) <= slack
        for row, seconds in zip(rows, clips, strict=True)
    )
