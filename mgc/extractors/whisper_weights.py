"""What only Whisper has: its log-mel input, and its encoder, read without the decoder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mgc.audio.file_cache import stamp
from mgc.errors import MgcError
from mgc.extractors.pretrained_weights import CONFIG, Weights

DEFAULT_MODEL = "openai/whisper-base"
#: Size → (features per position, blocks) of OpenAI's models, to know the sizes without a download.
SIZES = {
    "tiny": (384, 4),
    "base": (512, 6),
    "small": (768, 12),
    "medium": (1024, 24),
    "large": (1280, 32),
}
RATE = 16_000  # Hz
N_FFT = 400  # samples; 25 ms
HOP = 160  # samples; 10 ms from one mel frame to the next
MAX_HZ = 8_000.0  # Hz; half of the rate
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0  # powers of ten kept below a window's loudest cell
#: ``model.encoder.`` in a whole Whisper, ``encoder.`` in a bare model or a classifier.
ENCODER_TENSOR = re.compile(r"(?:model\.)?encoder\.(.+)")


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """What ``config.json`` says about the encoder, under its own names."""

    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    num_mel_bins: int = 80
    max_source_positions: int = 1500
    activation_function: str = "gelu"


class WhisperWeights(Weights):
    """A Whisper model in transformers' format: a hub name or a local folder."""

    noun = "Whisper model"

    def __init__(self, model: str) -> None:
        super().__init__("whisper", model)

    @property
    def command(self) -> str:
        """What to type to get the weights."""
        return super().command if self.model != DEFAULT_MODEL else "mgc features fetch whisper"

    @cached_property
    def shape(self) -> EncoderShape:
        """The encoder's shape. Raises MgcError if this is not a Whisper model."""
        self.check_type(("whisper",))
        names = [field.name for field in fields(EncoderShape) if field.name in self.config]
        try:
            return EncoderShape(**{name: self.config[name] for name in names})
        except TypeError as error:
            path = self.folder / CONFIG
            raise MgcError(f"{path} cannot be read: {error}.", self.remedy) from error

    @cached_property
    def places(self) -> Mapping[str, tuple[Path, str]]:
        """Tensor of the encoder → the file that holds it, and its name there."""
        found = {}
        for file in self.files:
            with _opened(file) as content:
                for key in content.keys():  # noqa: SIM118 - not a mapping: it cannot be iterated
                    if match := ENCODER_TENSOR.fullmatch(key):
                        found[match[1]] = (file, key)
        return found

    def read(self, name: str) -> Tensor:
        """One tensor of the encoder, in its stored type."""
        if name not in self.places:
            raise MgcError(
                f"{self.folder} has no tensor encoder.{name}: it is not a whole Whisper encoder.",
                self.remedy,
            )
        file, key = self.places[name]
        with _opened(file) as content:
            tensor: Tensor = content.get_tensor(key)
        return tensor

    def digest(self) -> str:
        """SHA-256 of the encoder's shape and tensors: the same however the files are split."""
        return _digest(self, tuple((stamp(file), file) for file in self.files))

    def encoder(self, blocks: int, dtype: torch.dtype, device: str) -> nn.Module:
        """transformers' WhisperEncoder with its first ``blocks`` blocks; no decoder is read.

        The final layer norm belongs to the last block: it is included only if all blocks are. Maps
        (window, mel band, frame) to an output whose ``last_hidden_state`` is (window, position,
        feature).
        """
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        shape = {**asdict(self.shape), "encoder_layers": blocks, "attn_implementation": "sdpa"}
        with torch.device("meta"):
            encoder = WhisperEncoder(WhisperConfig(**shape))
        if blocks < self.shape.encoder_layers:
            encoder.add_module("layer_norm", nn.Identity())
        tensors = {name: self.read(name).to(device, dtype) for name in encoder.state_dict()}
        try:
            encoder.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise MgcError(
                f"{self.folder}: its weights do not fit its {CONFIG}: {error}", self.remedy
            ) from error
        encoder.requires_grad_(False).train(False)
        return encoder


@lru_cache
def _digest(weights: WhisperWeights, stamps: tuple[Any, ...]) -> str:
    """Reads every tensor of the encoder; cached until the ``stamps`` of a file change."""
    digest = hashlib.sha256(json.dumps(asdict(weights.shape), sort_keys=True).encode())
    for name in sorted(weights.places):
        tensor = weights.read(name)
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def known_size(model: str) -> tuple[int, int] | None:
    """(features per position, blocks) of one of OpenAI's models by its hub name, else None."""
    match = re.fullmatch(r"openai/whisper-([a-z]+)(?:\.en|-v\d(?:-turbo)?)?", model)
    return SIZES.get(match[1]) if match else None


def log_mel(waves: Tensor, n_mels: int) -> Tensor:
    """Equal to transformers' ``WhisperFeatureExtractor`` on windows that are already padded.

    ``waves`` is (window, sample) float32 at 16 kHz, a multiple of 160 samples long; the result
    is (window, mel band, frame) float32, one frame every 160 samples, about -1 to 1.5.
    """
    hann = torch.hann_window(N_FFT, device=waves.device)
    spectrum = torch.stft(waves, N_FFT, HOP, window=hann, return_complex=True)
    # The last centred frame hears only the end; a strided view would slow the product down.
    power = spectrum[..., :-1].abs().square().contiguous()
    bands = mel_bands(n_mels).to(waves.device) @ power
    levels = bands.clamp(min=MIN_POWER).log10()
    loudest = levels.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(levels, loudest - DYNAMIC_RANGE) + 4.0) / 4.0


@lru_cache
def mel_bands(n_mels: int) -> Tensor:
    """Slaney's mel filters as Whisper was trained with, (band, bin) float32; 80 or 128 bands."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=1 + N_FFT // 2,
        num_mel_filters=n_mels,
        min_frequency=0.0,
        max_frequency=MAX_HZ,
        sampling_rate=RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T.copy()).float()


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as content:
            yield content
    except (SafetensorError, OSError) as error:
        raise MgcError(f"{file} cannot be read: {error}.", "Get another copy of it.") from error
