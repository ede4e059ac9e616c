"""Hidden states of Whisper's encoder."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pad

from mgc import MgcError, UsageError
from mgc.audio.clips import Clips
from mgc.extractors.whisper_weights import DEFAULT_MODEL, HOP, WhisperWeights, known_size, log_mel
from mgc.plugins.contract import FeatureKind
from mgc.plugins.params import PositiveInt

POSITION = HOP * 2  # samples (20 ms); the second convolution has stride 2
GPU_WINDOWS = 16  # windows at once; all 33 states of a large model take 2 GB in bfloat16


@dataclass(frozen=True)
class WhisperParams:
    """Parameters.

    ``model`` is a hub name or a local folder. ``layer`` is the state to take: 0 is the input of the
    first block, 1 its output, ``last`` or -1 the output of the last block; ``mean`` is the mean of
    the outputs of all blocks, each scaled to unit variance so that none drowns out the others;
    ``all`` keeps every state, as its mean and deviation over time. ``stride`` positions of 20 ms
    are averaged into one frame (``all`` has no frames). ``precision`` auto is bf16 on a GPU, or on
    a CPU that has instructions for it, else fp32; int8 is for CPUs only.
    """

    model: str = DEFAULT_MODEL
    layer: int | Literal["last", "mean", "all"] = "mean"
    stride: PositiveInt = 10  # 0.2 s; base: 154 kB per 30 s clip, 1.2 GB for FMA-small
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"


class Window(NamedTuple):
    """A part of a clip that the encoder hears at once, in samples."""

    clip: int
    start: int
    samples: int


class Moments(NamedTuple):
    """Every state's mean and variance over the valid positions of a window, (state, feature)."""

    positions: int
    mean: Tensor
    variance: Tensor


class Whisper:
    """States of Whisper's encoder on windows of 30 s; the last window of a clip is padded with
    silence, as in Whisper's training, and positions that are only padding are left out.

    The decoder is never read. Weights come from Hugging Face's cache or a local folder; only
    ``mgc features fetch whisper`` downloads them.
    """

    Params = WhisperParams

    def __init__(self, params: WhisperParams, device: str) -> None:
        self.params = params
        self.device = device

    @property
    def kind(self) -> FeatureKind:
        """``layers`` for ``layer=all``, else ``sequence``."""
        return "layers" if self.params.layer == "all" else "sequence"

    def frame_count(self, samples: int) -> int:
        """The number of frames that hear any part of this many samples at 16 kHz."""
        return math.ceil(positions(samples) / self.params.stride)

    def feature_shape(self, samples: int) -> tuple[int, ...]:
        """The shape of one clip's feature; no file is read for OpenAI's own models."""
        model = self.params.model
        size = known_size(model)
        if size is None:
            shape = self._weights.shape
            size = shape.d_model, shape.encoder_layers
        features, blocks = size
        blocks_needed(self.params.layer, blocks, model)
        if self.kind == "layers":
            return blocks + 1, 2 * features
        return features, self.frame_count(samples)

    def identity(self) -> str:
        """The digest of the encoder's weights, and the precision they are used in."""
        self._blocks  # noqa: B018 - an invalid layer fails before the weights are read
        return f"sha256:{self._weights.digest()} {self._precision}"

    def fetch(self) -> Path:
        """Download the model's config and weights; return their folder."""
        folder = self._weights.fetch()
        self._weights.shape  # noqa: B018 - raises if it is not a Whisper model
        return folder

    @torch.inference_mode()
    def __call__(self, clips: Clips) -> Tensor:
        """(clip, feature, frame) float32; for ``all`` (clip, state, mean and deviation)."""
        shape = self._weights.shape
        length = shape.max_source_positions * POSITION
        heard: list[list[Any]] = [[] for _ in range(len(clips))]
        cut = windows(clips.lengths.tolist(), length)
        # On a CPU windows come one by one: it is no slower, and a clip's numbers cannot depend on
        # its neighbours.
        size = 1 if self.device == "cpu" else GPU_WINDOWS
        for first in range(0, len(cut), size):
            batch = cut[first : first + size]
            waves = padded(clips.waves, batch, length).to(self.device)
            states = self._states(log_mel(waves, shape.num_mel_bins))
            for number, window in enumerate(batch):
                valid = [state[number, : positions(window.samples)] for state in states]
                heard[window.clip].append(moments(valid) if self.kind == "layers" else valid[0])
        if self.kind == "layers":
            return torch.stack([mean_and_deviation(parts) for parts in heard]).to(clips.device)
        rows = [averaged(torch.cat(parts).float(), self.params.stride) for parts in heard]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(clips.device).transpose(1, 2)

    def _states(self, mel: Tensor) -> Sequence[Tensor]:
        """(window, band, frame) → the states wanted, each (window, position, feature)."""
        layer = self.params.layer
        every = layer in ("mean", "all")
        wanted = torch.bfloat16 if self._precision == "bf16" else torch.float32
        output = self._encoder(mel.to(wanted), output_hidden_states=every)
        if layer == "all":
            return tuple(output.hidden_states)
        if layer == "mean":
            return [mean_state(output.hidden_states[1:])]
        return [output.last_hidden_state]

    @cached_property
    def _weights(self) -> WhisperWeights:
        return WhisperWeights(self.params.model)

    @cached_property
    def _blocks(self) -> int:
        total = self._weights.shape.encoder_layers
        return blocks_needed(self.params.layer, total, self.params.model)

    @cached_property
    def _precision(self) -> str:
        return resolved_precision(self.params.precision, self.device)

    @cached_property
    def _encoder(self) -> nn.Module:
        dtype = torch.bfloat16 if self._precision == "bf16" else torch.float32
        encoder = self._weights.encoder(self._blocks, dtype, self.device)
        return quantized(encoder) if self._precision == "int8" else encoder


def positions(samples: int) -> int:
    """The number of encoder positions whose 20 ms begin within this many samples; at least one."""
    return max(1, math.ceil(samples / POSITION))


def blocks_needed(layer: int | str, blocks: int, model: str) -> int:
    """How many of a model's blocks must run to reach a layer. Raises UsageError if it has no
    such layer."""
    if isinstance(layer, str):
        return blocks
    if not -blocks - 1 <= layer <= blocks:
        raise UsageError(
            f"layer={layer}: {model} has {blocks} blocks, so its layers are 0 to {blocks}, "
            f"or -1 to {-blocks - 1} from the end.",
            "For example: --set layer=last, mean or all",
        )
    return layer if layer >= 0 else blocks + 1 + layer


def resolved_precision(wanted: str, device: str) -> str:
    """Resolve ``auto`` to what is fastest on the device at equal quality. Raises UsageError for
    int8 on a GPU.

    On a Zen 4 CPU bf16 takes 0.65 times as long as fp32, with an error of 0.4 % in the mean over
    time; int8 takes 0.55 times as long with an error of 2 %, so it is never chosen automatically.
    On CPUs without the instructions bf16 is slow.
    """
    kind = torch.device(device).type
    if wanted == "int8" and kind != "cpu":
        raise UsageError(
            f"precision=int8 is for CPUs; the device is {device}.", "Use --set precision=bf16"
        )
    if wanted != "auto":
        return wanted
    if kind == "cpu":
        found = torch.cpu.get_capabilities()
        return "bf16" if found.get("avx512_bf16") or found.get("amx_bf16") else "fp32"
    fast = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if fast else "fp32"


def quantized(encoder: nn.Module) -> nn.Module:
    """Linear layers with int8 weights, their input quantised on the fly."""
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError as error:
        raise MgcError(
            f"precision=int8 needs torch.ao.quantization, which torch {torch.__version__} lacks.",
            "Use --set precision=bf16 or fp32",
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, with no successor inside torch
        made: nn.Module = quantize_dynamic(encoder, {nn.Linear}, torch.qint8)
    return made


def windows(lengths: Sequence[int], length: int) -> list[Window]:
    """All clips cut into windows of ``length`` samples; the last of each clip may be shorter."""
    return [
        Window(clip, start, min(length, samples - start))
        for clip, samples in enumerate(lengths)
        for start in range(0, max(samples, 1), length)
    ]


def padded(waves: Tensor, batch: Sequence[Window], length: int) -> Tensor:
    """The windows' samples (window, ``length``), padded with silence; what ``waves`` holds outside
    a clip's valid samples does not matter."""
    cut = waves.new_zeros(len(batch), length)
    for row, window in zip(cut, batch, strict=True):
        row[: window.samples] = waves[window.clip, window.start : window.start + window.samples]
    return cut


def mean_state(states: Sequence[Tensor]) -> Tensor:
    """The mean of states (window, position, feature), each with zero mean and unit variance over
    its features first, as data2vec averages its layers."""
    scaled = [layer_norm(state.float(), state.shape[-1:]) for state in states]
    return torch.stack(scaled).mean(dim=0)


def averaged(heard: Tensor, stride: int) -> Tensor:
    """(position, feature) → (frame, feature), means of ``stride`` neighbours; the last frame
    averages the remainder."""
    count = len(heard)
    frames = math.ceil(count / stride)
    whole = pad(heard, (0, 0, 0, frames * stride - count))
    sums: Tensor = whole.unflatten(0, (frames, stride)).sum(1)
    sizes = torch.full((frames, 1), float(stride), device=heard.device)
    sizes[-1] = count - (frames - 1) * stride
    return sums / sizes


def moments(states: Sequence[Tensor]) -> Moments:
    """One window's states, each (position, feature), reduced over its positions."""
    pairs = [torch.var_mean(state.float(), dim=0, correction=0) for state in states]
    variance, mean = (torch.stack(column) for column in zip(*pairs, strict=True))
    return Moments(len(states[0]), mean, variance)


def mean_and_deviation(parts: Sequence[Moments]) -> Tensor:
    """The windows of a clip as one (state, 2 x feature): means, then deviations, over all its
    positions (pooled as by Chan, Golub and LeVeque, 1979)."""
    means = torch.stack([part.mean for part in parts])
    variances = torch.stack([part.variance for part in parts])
    counts = torch.tensor([float(part.positions) for part in parts], device=means.device)
    shares = (counts / counts.sum())[:, None, None]
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    return torch.cat([mean, variance.sqrt()], dim=1)
