"""Calls an extractor on waves, as the rest of mgc does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from mgc.audio.clips import Clips, as_tensor
from mgc.checks.base import NotApplicable, Problem, Subject, music
from mgc.errors import MgcError
from mgc.features.extractor_spec import ExtractorSpec


@lru_cache(maxsize=64)
def source(subject: Subject) -> ExtractorSpec:
    """The subject as the rest of mgc uses it."""
    return ExtractorSpec(subject.info.name, subject.settings)


def hear(subject: Subject, waves: Sequence[np.ndarray]) -> torch.Tensor:
    """The extractor on a batch of waves, the shorter padded with zeros.

    Raises NotApplicable if it cannot be used on this machine (such as missing weights).
    """
    ready(subject)
    return apply(subject, clips_of(subject, waves))


def heard(subject: Subject, seconds: float = 1.98, seed: int = 0) -> torch.Tensor:
    """The extractor on one clip of music."""
    return hear(subject, [music(seconds, subject.info.sample_rate, seed)])


def clips_of(subject: Subject, waves: Sequence[np.ndarray]) -> Clips:
    """Waves of any length as one batch."""
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = [np.pad(wave, (0, int(lengths.max()) - len(wave))) for wave in waves]
    return Clips(torch.from_numpy(np.stack(padded)), subject.info.sample_rate, lengths)


def apply(subject: Subject, clips: Clips) -> torch.Tensor:
    """The extractor on clips, without gradients. Raises Problem for what is no array of numbers."""
    with torch.inference_mode():
        return tensor_of(source(subject).extractor(clips))


def tensor_of(made: Any) -> torch.Tensor:
    """What an extractor returned. Raises Problem unless it is a tensor or array of real numbers."""
    masked, kind = isinstance(made, np.ma.MaskedArray), getattr(made, "dtype", None)
    if isinstance(made, np.ndarray) and made.dtype.kind in "biuf" and not masked:
        made = as_tensor(made)
    if not isinstance(made, torch.Tensor) or made.is_complex():
        got = f"{type(made).__name__} of {kind}" if kind else type(made).__name__
        mend = "return np.asarray(…, np.float32), or torch.from_numpy of it"
        raise Problem("a torch.Tensor or numpy array of real numbers", got, mend)
    return made


def ready(subject: Subject) -> None:
    """Raise NotApplicable, with its own reason, if the extractor cannot be used here."""
    reason = _unusable(subject)
    if reason:
        raise NotApplicable(reason)


@lru_cache(maxsize=64)
def _unusable(subject: Subject) -> str:
    """Why the extractor cannot hear ordinary music here, in its own words; empty if it can."""
    try:
        apply(subject, clips_of(subject, [music(1.0, subject.info.sample_rate)]))
    except MgcError as error:
        return f"{error.message} {error.hint}".strip()
    except Exception:
        return ""  # the plug-in does not say that anything is missing: a fault to find
    return ""


def numbers(feature: torch.Tensor) -> np.ndarray:
    """A feature as a float32 array."""
    return np.asarray(feature.float().cpu())


def valid(subject: Subject, row: torch.Tensor, samples: int) -> np.ndarray:
    """One clip's feature without the frames that are padding."""
    feature = numbers(row)
    if source(subject).kind == "sequence":
        return feature[:, : source(subject).frame_count(samples)]
    return feature
