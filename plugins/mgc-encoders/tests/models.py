"""Extractors with tiny models, and sound for them."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mgc_encoders import ast, clap, speech

from mgc.audio.clips import Clips

from . import tiny

KINDS = {
    "mert": (speech.Mert, tiny.mert),
    "clap": (clap.Clap, tiny.clap),
    "ast": (ast.Ast, tiny.ast),
    "wav2vec2": (speech.Wav2Vec2, tiny.wav2vec2),
    "hubert": (speech.Hubert, lambda folder: tiny.wav2vec2(folder, "Hubert")),
    "wavlm": (speech.WavLm, lambda folder: tiny.wav2vec2(folder, "WavLM")),
}


@cache
def folder(name: str) -> Path:
    """A tiny model of an extractor's family; it lives as long as this process."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return KINDS[name][1](Path(made.name) / name)


def extractor(name: str, **settings: Any) -> Any:
    cls = KINDS[name][0]
    return cls(cls.Params(**{"model": str(folder(name)), **settings}), "cpu")


def wave(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * random.uniform(100, 900) * time)
    return (0.3 * tone + 0.05 * random.standard_normal(len(time))).astype(np.float32)


def heard(made: Any, sound: np.ndarray) -> np.ndarray:
    return made(Clips(torch.from_numpy(sound)[None], made.rate))[0].numpy()
