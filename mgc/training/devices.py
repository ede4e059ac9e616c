"""Where a training runs and at which precision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from mgc.errors import UsageError

if TYPE_CHECKING:
    from accelerate import Accelerator

#: What a CPU must have for bf16 to be faster than fp32 (3.8 × on an AMD Zen 4).
FAST_BF16 = ("avx512_bf16", "amx_bf16")


def resolve_device(name: str) -> torch.device:
    """``auto`` → CUDA, Apple's GPU or the CPU, the first one available; else the named device.

    Raises UsageError if it is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, usable in there.items() if usable), "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"There is no device type {name!r}.", "Use auto, cpu, cuda, cuda:1 or mps."
        ) from error
    usable = device.type == "cpu" or there.get(device.type, False)
    if usable and device.type == "cuda":
        usable = (device.index or 0) < torch.cuda.device_count()
    if not usable:
        raise UsageError(f"This machine has no device {name!r}.", "Omit --device, or use: cpu")
    return device


def precision_of(wanted: str, device: torch.device) -> str:
    """``auto`` → ``bf16`` if the device computes it fast, else ``fp32``."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
        fast = any(abilities.get(name, False) for name in FAST_BF16)
    return "bf16" if fast else "fp32"


def accelerator(device: torch.device, precision: str) -> Accelerator:
    """Hugging Face accelerate for one training, in one process or in several.

    Several processes are those that ``accelerate launch`` or ``torchrun`` started.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # accelerate keeps one state per process; a fold with another precision or device needs a new
    # one.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    if device.index is not None and "LOCAL_RANK" not in os.environ:
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    return Accelerator(
        cpu=device.type == "cpu", mixed_precision="bf16" if precision == "bf16" else "no"
    )
