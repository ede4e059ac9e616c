"""Small random Whisper models, saved by transformers in the format of the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

BLOCKS = 3
FEATURES = 64


def save(
    folder: Path,
    *,
    mels: int = 80,
    seed: int = 0,
    bare: bool = False,
    **options: Any,
) -> Path:
    """Save a model of 3 blocks of 64 features with its feature extractor; return the folder.

    ``bare`` saves a WhisperModel (tensors ``encoder.…``), else a
    WhisperForConditionalGeneration (``model.encoder.…``, as on the hub). ``options`` go to
    ``save_pretrained``.
    """
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import (
        WhisperForConditionalGeneration,
        WhisperModel,
    )

    torch.manual_seed(seed)
    model = (WhisperModel if bare else WhisperForConditionalGeneration)(config(mels))
    for name, tensor in model.named_parameters():
        if tensor.ndim >= 2 and "embed" not in name:
            nn.init.xavier_normal_(tensor)  # livelier than 0.02: every block changes its input
    model.save_pretrained(folder, **options)
    WhisperFeatureExtractor(feature_size=mels).save_pretrained(folder)
    return folder


def config(mels: int = 80) -> Any:
    """A Whisper with 30 s of input and nearly no decoder."""
    from transformers import WhisperConfig

    return WhisperConfig(
        d_model=FEATURES,
        encoder_layers=BLOCKS,
        encoder_attention_heads=2,
        encoder_ffn_dim=4 * FEATURES,
        num_mel_bins=mels,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        max_target_positions=8,
        vocab_size=60,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
    )
