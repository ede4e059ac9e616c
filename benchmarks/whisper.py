"""Whisper-base from waveforms to features, against its encoder alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import Row, Section, in_turns, row
from mgc.audio.clips import Clips
from mgc.extractors.whisper import GPU_WINDOWS
from mgc.features.extractor_spec import ExtractorSpec
from mgc.training.devices import precision_of, resolve_device

SECONDS, RATE = 30, 16_000
OURS, FLOOR = "whisper, waveform to feature", "transformers' encoder alone"
TEXT = (
    "Whisper-base (random weights in the real format, all layers kept and averaged), clips of 30 s "
    "in one batch; the encoder alone hears log-mel frames that are there already."
)


def measure(scratch: Path, turns: int, wanted: str = "auto") -> Section:
    """The extractor and the bare encoder take turns on the same clips."""
    device = resolve_device(wanted)
    torch.set_num_threads(os.cpu_count() or 1)
    os.environ["MGC_HOME"] = str(scratch / "whisper-home")
    folder = _base(scratch / "whisper-base")
    count = GPU_WINDOWS if device.type == "cuda" else 1
    source = ExtractorSpec("whisper", {"model": str(folder)}, device=str(device))
    waves = torch.randn(count, SECONDS * RATE, device=device)
    encoder = _encoder(folder, device)
    mel = torch.randn(count, 80, 100 * SECONDS, device=device, dtype=encoder.dtype)

    def ours(_: int) -> None:
        with torch.inference_mode():
            source.extractor(Clips(waves, RATE))
        _wait(device)

    def floor(_: int) -> None:
        with torch.inference_mode():
            encoder(mel, output_hidden_states=True)
        _wait(device)

    times = in_turns({OURS: ours, FLOOR: floor}, turns)
    rows = [row(times, name, FLOOR, scale=1e3 / count, unit="ms a clip") for name in times]
    rows.append(Row("clips", 1e3 / rows[0].value, "clips/s"))
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    facts = {"device": on, "precision": precision_of("auto", device), "batch": count}
    text = f"{TEXT} On: {on}, {facts['precision']}, {count} clips at once."
    return Section("Whisper", text, rows, facts)


def _base(folder: Path) -> Path:
    """Random weights of the size of openai/whisper-base, with hardly a decoder."""
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperModel

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=512,
        encoder_layers=6,
        encoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_layers=1,
        decoder_attention_heads=8,
        decoder_ffn_dim=32,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def _encoder(folder: Path, device: torch.device) -> Any:
    from transformers.models.whisper.modeling_whisper import WhisperModel

    dtype = torch.bfloat16 if precision_of("auto", device) == "bf16" else torch.float32
    model = WhisperModel.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    return model.encoder.to(device).eval()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
