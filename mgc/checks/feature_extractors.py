"""Checks of an extractor: shapes, repeatable numbers, odd sounds, and what the store relies on."""

from __future__ import annotations

import json

import numpy as np
import torch

from mgc.checks import golden, require, subprocess_probe
from mgc.checks.base import NotApplicable, Problem, Subject, music
from mgc.checks.extractor_calls import apply, clips_of, hear, heard, numbers, ready, source, valid
from mgc.errors import MgcError, in_words

LENGTHS = (1.07, 1.98, 2.74, 4.0)  # seconds; only the last is a whole number of common hops
BATCHES = 2e-3  # how much the batch and the process may change, in deviations of the feature
DIMENSIONS = {"sequence": 3, "vector": 2, "layers": 3}
SHAPES = {
    "sequence": "(clip, feature, frame)",
    "vector": "(clip, feature)",
    "layers": "(clip, layer, feature)",
}


def check_methods(subject: Subject) -> None:
    """The class can be called with clips."""
    mend = "write def __call__(self, clips): … that returns a torch tensor or numpy array"
    require.method(subject, "__call__", mend)


def check_construction_is_light(subject: Subject) -> None:
    """Constructing the extractor opens no file and no connection."""
    found = subprocess_probe.report(subject).touched
    if found:
        raise Problem(
            "__init__ only stores its arguments",
            "; ".join(found[:5]),
            "load weights at the first call (functools.cached_property), not in __init__: "
            "`mgc features show` and the check of a request make an extractor, too",
        )


def check_shape(subject: Subject) -> None:
    """The result has the declared kind's shape, and the same number of features at any length."""
    kind = source(subject).kind
    counts = set()
    for seconds in LENGTHS:
        feature = heard(subject, seconds)
        if feature.ndim != DIMENSIONS.get(kind) or feature.shape[0] != 1:
            raise Problem(
                f"{SHAPES[kind]} for one clip of {seconds} s, as kind={kind!r} says",
                f"shape {tuple(feature.shape)}",
                "return one row per clip, or declare another kind=…",
            )
        counts.add(tuple(feature.shape[1:2] if kind == "sequence" else feature.shape[1:]))
    if len(counts) > 1:
        raise Problem(
            "the same number of features at every length",
            f"{sorted(counts)} for clips of {LENGTHS} s",
            "the features' axis comes before frames: transpose the last two axes?"
            if kind == "sequence"
            else 'pool over time, or declare kind="sequence"',
        )


def check_frames(subject: Subject) -> None:
    """The number of frames follows from the hop."""
    if source(subject).kind != "sequence":
        raise NotApplicable("only a sequence has frames")
    for seconds in LENGTHS:
        samples = round(seconds * subject.info.sample_rate)
        got, expected = heard(subject, seconds).shape[-1], source(subject).frame_count(samples)
        padded = subject.info.window_samples is not None and got > expected
        if got != expected and not padded:
            raise Problem(
                f"{expected} frames for {samples} samples at a hop of {subject.info.hop_samples}",
                f"{got} frames",
                "centre the frames (pad both ends by half a window: 1 + samples // hop frames), "
                "or say how many are valid with def frame_count(self, samples: int) -> int",
            )


def check_dtype_and_device(subject: Subject) -> None:
    """The result is float32 on the clips' device."""
    feature = heard(subject)
    if feature.dtype != torch.float32 or feature.device.type != "cpu":
        raise Problem(
            "torch.float32 on the device of clips.waves (cpu)",
            f"{feature.dtype} on {feature.device}",
            "end with .float() or .astype(np.float32), and make tensors with device=clips.device",
        )


def check_finite(subject: Subject) -> None:
    """Music gives finite numbers."""
    _finite(subject, music(1.98, subject.info.sample_rate), "music")


def check_silence(subject: Subject) -> None:
    """Silence gives finite numbers."""
    silence = np.zeros(2 * subject.info.sample_rate, np.float32)
    _finite(subject, silence, "two seconds of silence")


def check_full_scale(subject: Subject) -> None:
    """A square wave, at and beyond full scale, gives finite numbers."""
    time = np.arange(2 * subject.info.sample_rate) / subject.info.sample_rate
    square = np.where(np.sin(2 * np.pi * 220 * time) >= 0, 1.0, -1.0).astype(np.float32)
    _finite(subject, square, "a full-scale square wave")
    _finite(subject, 1.5 * square, "a square wave of amplitude 1.5 (lossy audio overshoots)")


def check_one_sample(subject: Subject) -> None:
    """One sample gives finite numbers, or an AudioError that says it is too short."""
    ready(subject)
    try:
        _finite(subject, np.full(1, 0.5, np.float32), "one sample")
    except MgcError:
        return
    except Problem:
        raise
    except Exception as error:
        raise Problem(
            "a feature, or mgc.AudioError",
            in_words(error),
            "pad a clip that is shorter than a window, or raise mgc.AudioError('too short')",
        ) from error


def _finite(subject: Subject, wave: np.ndarray, what: str) -> None:
    mend = "clamp before a logarithm, and add a small number to what you divide by"
    require.finite(numbers(hear(subject, [wave])), what, mend)


def check_hears(subject: Subject) -> None:
    """Different sounds give different features."""
    samples = 2 * subject.info.sample_rate
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    if torch.equal(hear(subject, [noise]), heard(subject, 2.0)):
        mend = "the result does not depend on clips.waves"
        raise Problem("other numbers for noise than for music", "the same", mend)


def check_same_twice(subject: Subject) -> None:
    """The same clip gives the same numbers again."""
    require.same(
        numbers(heard(subject)),
        numbers(heard(subject)),
        "the same bytes for the same clip",
        "no dropout (call .eval()), no random numbers, nothing carried over between calls",
    )


def check_batch_equals_single(subject: Subject) -> None:
    """A clip's numbers do not depend on the clips beside it, nor on the padding after it."""
    rate = subject.info.sample_rate
    waves = [music(seconds, rate, seed) for seed, seconds in enumerate(LENGTHS)]
    together = hear(subject, waves)
    if len(together) != len(waves):
        mend = "return one row per clip, in order"
        raise Problem(f"{len(waves)} rows", f"{len(together)}", mend)
    for number, wave in enumerate(waves):
        require.same(
            valid(subject, hear(subject, [wave])[0], len(wave)),
            valid(subject, together[number], len(wave)),
            f"clip {number} of the batch equal to the same clip alone",
            "leave the padding out (clips.lengths has the valid samples of each clip) and "
            "normalise over one clip, never over the batch; or go clip by clip",
            share=BATCHES,
        )


def check_input_is_left_alone(subject: Subject) -> None:
    """Neither the waves nor the shared spectrum are changed."""
    ready(subject)
    clips = clips_of(subject, [music(1.98, subject.info.sample_rate)])
    hop = subject.info.hop_samples
    arrays = {"clips.waves": clips.waves, "clips.lengths": clips.lengths}
    for n_fft in (1024, 2048):
        arrays[f"clips.power_spectrum({n_fft}, {hop})"] = clips.power_spectrum(n_fft, hop)
    mend = "work on a copy: x = x / y, not x /= y; .clamp(), not .clamp_()"
    with require.unchanged(arrays, mend):
        apply(subject, clips)


def check_other_process(subject: Subject) -> None:
    """Another process gets the same numbers."""
    ready(subject)
    there = subprocess_probe.report(subject)
    if there.error or there.feature is None:
        raise Problem(
            "the extractor runs in another process",
            there.error or "nothing came back",
            "depend on nothing but the parameters and the installed package",
        )
    require.same(
        numbers(heard(subject, subprocess_probe.SECONDS, subprocess_probe.SEED)),
        there.feature,
        "the same numbers in another process",
        "draw no random numbers in __init__ without a seed; do not rely on the order of a set or "
        "on hash()",
        share=BATCHES,
    )


def check_identity(subject: Subject) -> None:
    """What enters the fingerprint is plain data and stable."""
    try:
        here = source(subject).identity()
        plain = json.loads(json.dumps(here, allow_nan=False))
    except MgcError as error:
        raise NotApplicable(f"{error.message} {error.hint}".strip()) from error
    except (TypeError, ValueError) as error:
        raise Problem(
            "an identity that JSON can hold", str(error), "let identity() return text"
        ) from error
    there = subprocess_probe.report(subject)
    if there.identity is not None and there.identity != plain:
        differs = [key for key in plain if plain[key] != there.identity.get(key)]
        raise Problem(
            "the same identity in another process, so that features are found again",
            f"{', '.join(differs)} differs: {[plain[k] for k in differs]} and "
            f"{[there.identity.get(k) for k in differs]}",
            "let identity() tell the weights (a content hash or a pinned revision), not a time, an "
            "address or a random number",
        )


def check_golden_numbers(subject: Subject) -> None:
    """The numbers are those of this revision."""
    if subject.settings and not subject.variant:
        raise NotApplicable("golden numbers are kept for the default parameters")
    ready(subject)
    golden.compare(subject)
