"""A small random Whisper with decoder, tokenizer and generation settings, as on the hub."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

TEXT = 256  # tokens: one a byte
END = TEXT
LANGUAGES = ("en", "es", "sw")


def save(folder: Path, *, multilingual: bool = True, seed: int = 0) -> Path:
    """Save a model of two blocks; return the folder."""
    import transformers

    tokens = special_tokens(multilingual)
    ids = {token: END + number for number, token in enumerate(tokens)}
    size = END + len(tokens) + 20  # then timestamps
    torch.manual_seed(seed)
    config = transformers.WhisperConfig(
        vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, max_target_positions=64, pad_token_id=END, bos_token_id=END,
        eos_token_id=END, decoder_start_token_id=ids["<|startoftranscript|>"],
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if weight.ndim >= 2 and "embed_positions" not in name:
            nn.init.xavier_normal_(weight, gain=2.0)
    settings = {
        "decoder_start_token_id": config.decoder_start_token_id,
        "eos_token_id": END,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "is_multilingual": multilingual,
        "suppress_tokens": [7, *range(END + 1, size)],
        "begin_suppress_tokens": [32, END],
        "max_length": 64,
    }
    if multilingual:
        settings["lang_to_id"] = {f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES}
        settings["task_to_id"] = {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")}
    model.generation_config = transformers.GenerationConfig(**settings)
    model.save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    tokenizer(tokens).save_pretrained(folder)
    return folder


def special_tokens(multilingual: bool) -> list[str]:
    """In OpenAI's order: the end, the start, languages, tasks, the rest."""
    some = [f"<|{code}|>" for code in LANGUAGES] + ["<|translate|>", "<|transcribe|>"]
    return [
        "<|endoftext|>", "<|startoftranscript|>", *(some if multilingual else []),
        "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
    ]  # fmt: skip


def tokenizer(tokens: list[str]):
    """Bytes as tokens, then the special ones."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import WhisperTokenizer

    letters = sorted(ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate(letters)} | {"<|endoftext|>": END}
    made = WhisperTokenizer(vocab=vocab, merges=[])
    made.add_special_tokens({"additional_special_tokens": tokens[1:]})
    return made
