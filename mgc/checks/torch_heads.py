"""Checks of a gradient head: a torch module, and how well it works with mgc's trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mgc.checks import require, toy_data
from mgc.checks.base import Problem, Subject
from mgc.checks.toy_data import FEATURES, FRAMES, GENRES, LAYERS
from mgc.home import temporary_folder
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.training.batches import MIN_WINDOW
from mgc.training.fit import fit_head
from mgc.training.fitted_head import restore_head
from mgc.training.head_spec import HeadSpec

CLIPS = 6
LEARNT = 0.6  # of held-out tracks right after a short training; chance is a third
SHORT = {"epochs": 25, "batch_size": 16, "precision": "fp32"}
LEAK = 0.5  # how much the padding may change, as a share of what other music changes
PADDING = 4  # times the clip's length


def built(subject: Subject, kind: FeatureKind) -> Any:
    """The head as the trainer builds it, ready to evaluate."""
    shape = FeatureShape(kind, FEATURES, LAYERS if kind == "layers" else 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = subject.implementation(subject.params, shape, GENRES)
    if not isinstance(made, nn.Module):
        raise Problem("a torch.nn.Module", type(made).__name__, "inherit from torch.nn.Module")
    return made.eval()


def batch(
    kind: FeatureKind, seed: int = 0, frames: int = FRAMES
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised features of some clips, and their valid frames (clip,)."""
    size = {"sequence": (FEATURES, frames), "vector": (FEATURES,), "layers": (LAYERS, FEATURES)}
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(CLIPS, *size[kind], generator=generator)
    if kind == "sequence":  # each clip has its own character throughout
        features += 2 * torch.randn(CLIPS, FEATURES, 1, generator=generator)
    return features, torch.full((CLIPS,), frames if kind == "sequence" else 1)


def each(subject: Subject) -> Iterator[tuple[Any, torch.Tensor, torch.Tensor]]:
    """A built head for each kind that it accepts, with a batch of features and lengths."""
    for kind in subject.info.accepts:
        yield built(subject, kind), *batch(kind)


def embedding(head: Any, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The head's output for a batch, without gradients."""
    with torch.inference_mode():
        made: torch.Tensor = head.embed(features, lengths)
    return made


def check_methods(subject: Subject) -> None:
    """The gradient head has all its methods."""
    require.method(subject, "embed", "write def embed(self, features, lengths): …")
    require.method(subject, "classify", "write def classify(self, embedding): …")


def check_shapes(subject: Subject) -> None:
    """Embeddings are (clip, dimension), logits (clip, genre)."""
    for head, features, lengths in each(subject):
        made = embedding(head, features, lengths)
        if made.ndim != 2 or made.shape[0] != CLIPS:
            raise Problem(
                f"an embedding ({CLIPS}, dimension) of features {tuple(features.shape)}",
                f"shape {tuple(made.shape)}",
                "pool over time and flatten: one row per clip",
            )
        logits = head.classify(made.clone())
        if tuple(logits.shape) != (CLIPS, GENRES):
            mend = "the last layer has as many outputs as __init__ is told genres"
            raise Problem(f"logits ({CLIPS}, {GENRES})", f"shape {tuple(logits.shape)}", mend)


def check_any_length(subject: Subject) -> None:
    """Sequences with few frames and with many give finite embeddings."""
    if "sequence" not in subject.info.accepts:
        return
    head = built(subject, "sequence")
    for frames in (MIN_WINDOW, MIN_WINDOW + 1, 500):
        require.finite(
            embedding(head, *batch("sequence", frames=frames)),
            f"an embedding of {frames} frames",
            "guard the deviation of few frames, and a mask that leaves none; pool over time to a "
            "fixed size, whatever the length",
        )


def check_lengths_are_heeded(subject: Subject) -> None:
    """What lies beyond a clip's valid frames hardly matters."""
    if "sequence" not in subject.info.accepts:
        return
    head = built(subject, "sequence")
    features, lengths = batch("sequence", frames=200)
    other, _ = batch("sequence", seed=1, frames=200)
    noise, _ = batch("sequence", seed=2, frames=200 * PADDING)
    alone = embedding(head, features, lengths)
    padded = embedding(head, torch.cat([features, noise], 2), lengths)
    leak = float((padded - alone).norm() / (embedding(head, other, lengths) - alone).norm())
    if leak > LEAK:
        raise Problem(
            "an embedding of the valid frames: lengths says how many",
            f"noise after them changes it by {leak:.0%} of what other music does",
            "mask frames >= lengths before you pool (see mgc.heads.layers.valid)",
        )


def check_silence(subject: Subject) -> None:
    """Features that are all the same give finite embeddings."""
    for head, features, lengths in each(subject):
        silent = embedding(head, torch.zeros_like(features), lengths)
        require.finite(silent, "an embedding of zeros", "clamp before a square root or a logarithm")


def check_batch_equals_single(subject: Subject) -> None:
    """In evaluation, a clip's embedding does not depend on the clips beside it."""
    for head, features, lengths in each(subject):
        alone = [embedding(head, f[None], n[None]) for f, n in zip(features, lengths, strict=True)]
        require.same(
            torch.cat(alone),
            embedding(head, features, lengths),
            "the same embedding alone and in a batch (model.eval())",
            "normalise with running statistics (BatchNorm) or over one clip (LayerNorm)",
            share=1e-3,
        )


def check_same_twice(subject: Subject) -> None:
    """In evaluation, the same clip has the same embedding again."""
    for head, features, lengths in each(subject):
        one, again = (embedding(head, features.clone(), lengths) for _ in range(2))
        require.same(one, again, "the same embedding", "nn.Dropout, not F.dropout(x)")


def check_gradients(subject: Subject) -> None:
    """Every weight has a finite gradient."""
    for head, features, lengths in each(subject):
        head.train()
        logits = head.classify(head.embed(features, lengths))
        nn.functional.cross_entropy(logits, torch.arange(CLIPS) % GENRES).backward()
        for name, weight in head.named_parameters():
            if weight.requires_grad and (weight.grad is None or not weight.grad.isfinite().all()):
                raise Problem(
                    f"a finite gradient of every weight (features {tuple(features.shape)})",
                    f"{name} has {'none' if weight.grad is None else 'NaN or infinity'}",
                    "leave out modules that are not used, and .detach() or numpy on the way; add "
                    "a small number under a square root",
                )


def check_input_is_left_alone(subject: Subject) -> None:
    """The features are not changed: the trainer keeps them on the device."""
    for head, features, lengths in each(subject):
        with require.unchanged({"features": features}, "x = x * 2, not x *= 2"):
            embedding(head, features, lengths)


def check_learns_and_restores(subject: Subject) -> None:
    """The trainer can fit it, save it and read it back."""
    for kind in subject.info.accepts:
        data, test = toy_data.tracks(kind), toy_data.tracks(kind, seed=1)
        fitted, back = _trained(subject, data, np.arange(36), np.arange(36, 48))
        got, made = fitted.predict(test.features)
        require.probabilities(got, len(test.features), GENRES, f"training on {kind} features")
        require.learnt(
            got,
            test.genres,
            LEARNT,
            f"held-out tracks ({kind} features, {SHORT['epochs']} epochs)",
            "check that classify gives logits (no softmax) and that initial weights are small",
        )
        again, back_made = back.predict(test.features)
        mend = "keep everything that is learnt in parameters and registered buffers"
        require.same(got, again, "the same answers after restoring", mend, share=1e-5)
        require.same(made, back_made, "the same embeddings after restoring", mend, share=1e-4)


def check_genre_absent_from_validation(subject: Subject) -> None:
    """A validation split without one genre does not end the training."""
    data = toy_data.tracks(subject.info.accepts[0])
    watched = np.flatnonzero((data.genres != 0) & (np.arange(48) >= 36))
    fitted, _ = _trained(subject, data, np.arange(36), watched)
    got, _ = fitted.predict(data.features)
    require.probabilities(got, 48, GENRES, "validation without genre 0")


def _trained(subject: Subject, data: Any, train: Any, validation: Any) -> tuple[Any, Any]:
    spec = HeadSpec(subject.info.name, subject.settings, SHORT)
    with temporary_folder() as folder:
        fitted = fit_head(spec, data, train, validation, seed=0, folder=folder, device="cpu")
        return fitted, restore_head(folder, "cpu")
