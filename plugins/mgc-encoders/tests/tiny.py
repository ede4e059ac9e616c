"""Small random models, saved by transformers in the formats of the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

WIDTH, BLOCKS = 32, 3
SMALL = {
    "hidden_size": WIDTH,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 2,
    "intermediate_size": 2 * WIDTH,
}


def lively(model: nn.Module) -> nn.Module:
    """Weights large enough that every block changes what goes through it."""
    for name, weight in model.named_parameters():
        if weight.ndim >= 2 and "embed" not in name:
            nn.init.xavier_normal_(weight)
    return model


def wav2vec2(folder: Path, family: str = "Wav2Vec2", rate: int = 16_000, **more: Any) -> Path:
    """wav2vec 2.0, HuBERT or WavLM, with the real ones' seven convolutions."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        **SMALL, conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
        **more,
    )  # fmt: skip
    lively(getattr(transformers, f"{family}Model")(config)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(folder)
    return folder


def mert(folder: Path, **changes: Any) -> Path:
    """MERT v1: HuBERT's weights under a configuration that asks for the hub's own code."""
    wav2vec2(folder, "Hubert", 24_000)
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {
        "model_type": "mert_model",
        "architectures": ["MERTModel"],
        "auto_map": {
            "AutoConfig": "configuration_MERT.MERTConfig",
            "AutoModel": "modeling_MERT.MERTModel",
        },
        "sample_rate": 24_000,
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "deepnorm": False,
        "attention_relax": -1.0,
    }
    path.write_text(json.dumps(config | changes))
    return folder


def ast(folder: Path) -> Path:
    """AST with the real one's input of 1,024 frames."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    model = ASTForAudioClassification(ASTConfig(**SMALL, num_labels=5))
    lively(model).save_pretrained(folder)
    ASTFeatureExtractor().save_pretrained(folder)
    return folder


def dasheng(folder: Path, **changes: Any) -> Path:
    """Dasheng as the hub has it, with weights by a formula: the golden numbers are theirs."""
    from mgc_encoders.dasheng import DashengEncoder
    from safetensors.torch import save_file

    tensors = {}
    for number, (name, like) in enumerate(DashengEncoder(16, 3, 2).state_dict().items()):
        steps = torch.arange(like.numel(), dtype=torch.float64) * (number + 2)
        values = 0.5 * torch.sin(steps).reshape(like.shape).to(like.dtype)
        positive = name.endswith(("var", "norm.weight", "norm1.weight", "norm2.weight"))
        tensors[f"encoder.{name}"] = values.abs() + 0.5 if positive else values
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    shape = {"embed_dim": 16, "depth": 3, "num_heads": 2, "target_length": 1008}
    config = {"model_type": "dasheng", "name": "dasheng-base", "loss": "BCELoss",
              "auto_map": {"AutoModel": "modeling_dasheng.DashengModel"},
              "encoder_kwargs": shape | changes}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def letters() -> dict[str, int]:
    """A byte-level vocabulary without merges: RoBERTa's special tokens, then every byte."""
    from tokenizers.pre_tokenizers import ByteLevel

    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    return {word: number for number, word in enumerate(words)}


def clap(folder: Path) -> Path:
    """The whole of CLAP, text side included, as the hub has it."""
    from transformers import (
        ClapAudioConfig,
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapTextConfig,
        RobertaTokenizerFast,
    )

    torch.manual_seed(0)
    audio = ClapAudioConfig(
        patch_embeds_hidden_size=16, depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2],
        hidden_size=128, projection_dim=24, enable_fusion=False,
    )  # fmt: skip
    text = ClapTextConfig(
        **SMALL, vocab_size=260, projection_dim=24, pad_token_id=1, max_position_embeddings=514
    )
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=24)
    lively(ClapModel(config)).save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    RobertaTokenizerFast(vocab=letters(), merges=[]).save_pretrained(folder)
    return folder


def sweep(seconds: float, rate: int = 16_000) -> np.ndarray:
    """A tone that rises from 100 to 6,000 Hz: (sample,) float32."""
    time = np.arange(round(seconds * rate)) / rate
    rising = 100 * time + (5_900 / 2) * time**2 / max(seconds, 1e-9)
    return (0.4 * np.sin(2 * np.pi * rising)).astype(np.float32)
