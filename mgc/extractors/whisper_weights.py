"""Whisper's weights on this machine: found, identified, read. Only `fetch` uses the network."""

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

from mgc import MgcError

DEFAULT_MODEL = "openai/whisper-base"
CONFIG = "config.json"
WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
#: What `fetch` takes of a hub repository. No ``*.safetensors``: large-v3 keeps a second copy of
#: its weights beside the first.
WANTED = (CONFIG, "preprocessor_config.json", WHOLE, INDEX, "model-*-of-*.safetensors")
#: Size → (features a position, blocks) of OpenAI's models, for sizes told without a download.
SIZES = {
    "tiny": (384, 4),
    "base": (512, 6),
    "small": (768, 12),
    "medium": (1024, 24),
    "large": (1280, 32),
}
#: Nothing that is absolute, starts with a dot or goes deeper than owner/name.
HUB_NAME = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")
#: ``model.encoder.`` in a whole Whisper, ``encoder.`` in a bare model or a classifier.
ENCODER_TENSOR = re.compile(r"(?:model\.)?encoder\.(.+)")


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """What ``config.json`` says of the encoder, in its own words."""

    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    num_mel_bins: int = 80
    max_source_positions: int = 1500
    activation_function: str = "gelu"


@dataclass(frozen=True)
class WhisperWeights:
    """A Whisper model in transformers' format, its weights as safetensors.

    ``model`` is what was asked for, ``folder`` where that is.
    """

    model: str
    folder: Path

    @cached_property
    def shape(self) -> EncoderShape:
        """The encoder's shape. Raises MgcError where this is no Whisper model."""
        return read_shape(self.folder)

    @cached_property
    def files(self) -> list[Path]:
        """The safetensors files: one, or the shards that the index names."""
        if (self.folder / WHOLE).is_file():
            return [self.folder / WHOLE]
        if (self.folder / INDEX).is_file():
            return _shards(self)
        raise _no_safetensors(self)

    @cached_property
    def places(self) -> Mapping[str, tuple[Path, str]]:
        """Tensor of the encoder → the file that holds it, and its name there."""
        found = {}
        for file in self.files:
            with _opened(file) as content:
                for key in content.keys():  # noqa: SIM118 - no mapping: it cannot be iterated
                    if match := ENCODER_TENSOR.fullmatch(key):
                        found[match[1]] = (file, key)
        return found

    def read(self, name: str) -> Tensor:
        """One tensor of the encoder, in the type that it is stored in."""
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
        """SHA-256 of the encoder's shape and tensors: the same however the files are cut."""
        stamps = tuple((f, f.stat().st_size, f.stat().st_mtime_ns) for f in self.files)
        return _digest(self, stamps)

    @property
    def remedy(self) -> str:
        """What to do where a file is missing or damaged."""
        if _is_hub_name(self.model):
            return f"Fetch it again: {fetch_command(self.model)}"
        return f"Take another copy of the model: {CONFIG} and {WHOLE}, as transformers saves them."


@lru_cache
def _digest(weights: WhisperWeights, stamps: tuple[Any, ...]) -> str:
    """Reads every tensor of the encoder; remembered until the ``stamps`` of a file change."""
    digest = hashlib.sha256(json.dumps(asdict(weights.shape), sort_keys=True).encode())
    for name in sorted(weights.places):
        tensor = weights.read(name)
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def find(model: str) -> WhisperWeights:
    """The model in a local folder or, by its hub name, in Hugging Face's cache.

    Raises MgcError, naming the command that fetches it, where it is not on this machine.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return WhisperWeights(model, folder)
    if not _is_hub_name(model):
        raise MgcError(
            f"There is no folder {folder.absolute()} with a Whisper model.",
            f"Check the path, or use a model by its hub name: --set model={DEFAULT_MODEL}",
        )
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    config = try_to_load_from_cache(model, CONFIG)
    if not isinstance(config, str):
        raise MgcError(
            f"Whisper model {model!r} is not on this machine (looked in {HF_HUB_CACHE}).",
            f"Fetch it once: {fetch_command(model)} (or name a folder that has its config.json and "
            f"model.safetensors: --set model=FOLDER)",
        )
    return WhisperWeights(model, Path(config).parent)


def _is_hub_name(model: str) -> bool:
    return HUB_NAME.fullmatch(model) is not None and not Path(model).expanduser().is_dir()


def fetch_command(model: str) -> str:
    """What to type to get the weights of a model."""
    command = "mgc features fetch whisper"
    return command if model == DEFAULT_MODEL else f"{command} --set model={model}"


def fetch(model: str) -> Path:
    """Download a model by its hub name, config and safetensors only; return its folder.

    A local folder is only checked. Raises MgcError where the hub cannot be reached,
    has no such model, or has it as a pickle only.
    """
    if _is_hub_name(model):
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(model, allow_patterns=list(WANTED))
        except Exception as error:  # the hub's errors have no common root but this one
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise MgcError(
                f"Whisper model {model!r} could not be fetched: {reason}",
                "Check the name and the connection (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and "
                "HTTPS_PROXY are respected), or bring a folder with the model's config.json and "
                "model.safetensors to this machine: --set model=FOLDER",
            ) from error
    weights = find(model)
    weights.shape, weights.files  # noqa: B018 - raises where the model is not whole
    return weights.folder


def known_size(model: str) -> tuple[int, int] | None:
    """(features a position, blocks) of one of OpenAI's models by its hub name, else None."""
    match = re.fullmatch(r"openai/whisper-([a-z]+)(?:\.en|-v\d(?:-turbo)?)?", model)
    return SIZES.get(match[1]) if match else None


def read_shape(folder: Path) -> EncoderShape:
    """The encoder's shape from a folder's config.json; the weights need not be there."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.get("model_type") != "whisper":
            raise MgcError(
                f"{path} describes a {config.get('model_type')!r} model, not a 'whisper'.",
                "Extractor whisper takes Whisper models only.",
            )
        names = [field.name for field in fields(EncoderShape)]
        return EncoderShape(**{name: config[name] for name in names if name in config})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MgcError(
            f"{path} cannot be read as a Whisper model's config: {error}.",
            "The folder must hold config.json and model.safetensors, as transformers saves them.",
        ) from error


def _shards(weights: WhisperWeights) -> list[Path]:
    path = weights.folder / INDEX
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MgcError(f"{path} cannot be read: {error}.", weights.remedy) from error
    shards = [weights.folder / Path(name).name for name in names]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise MgcError(
            f"{weights.folder} is not whole: {', '.join(missing)}, which {INDEX} names, is not "
            "there.",
            weights.remedy,
        )
    return shards


def _no_safetensors(weights: WhisperWeights) -> MgcError:
    pickles = sorted(path.name for path in weights.folder.glob("*.bin"))
    if not pickles:
        return MgcError(f"{weights.folder} has no {WHOLE}.", weights.remedy)
    return MgcError(
        f"{weights.folder} has its weights as {', '.join(pickles)} only: a pickle, which can run "
        f"any code when it is read. mgc reads {WHOLE}.",
        "Where you trust the file, convert it with transformers: "
        "WhisperModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)",
    )


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as content:
            yield content
    except (SafetensorError, OSError) as error:
        raise MgcError(f"{file} cannot be read: {error}.", "Take another copy of it.") from error


def load_encoder(
    weights: WhisperWeights, blocks: int, dtype: torch.dtype, device: str
) -> nn.Module:
    """transformers' WhisperEncoder with its first ``blocks`` blocks; no decoder is read.

    The closing layer norm belongs to the last block: it is there only with all of them. Maps
    (window, mel band, frame) to an output whose ``last_hidden_state`` is (window, position,
    feature).
    """
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    shape = {**asdict(weights.shape), "encoder_layers": blocks}
    with torch.device("meta"):
        encoder = WhisperEncoder(WhisperConfig(**shape, attn_implementation="sdpa"))
    if blocks < weights.shape.encoder_layers:
        encoder.layer_norm = nn.Identity()
    tensors = {name: weights.read(name).to(device, dtype) for name in encoder.state_dict()}
    try:
        encoder.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise MgcError(
            f"{weights.folder}: its weights do not fit its {CONFIG}: {error}", weights.remedy
        ) from error
    encoder.requires_grad_(False)
    encoder.eval()
    return encoder
