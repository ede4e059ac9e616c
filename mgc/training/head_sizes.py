"""Whether a torch head is the one whose weights are in a file, told before it takes memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook


def check_sizes(path: Path, build: Callable[[], nn.Module]) -> None:
    """Build a head on the meta device, which has no memory, and compare its tensors with a file's.

    A head whose code needs the numbers in its parameters cannot be built so: it is not checked.

    Raises:
        ValueError: a tensor has another shape than in the file, or there are far more of them.
    """
    with safe_open(path, "pt") as file:
        stored = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    too_many, made = False, dict[str, list[int]]()
    left = iter(range(2 * len(stored)))  # some parameters are replaced while a head is built

    def count(module: nn.Module, name: str, parameter: Tensor) -> None:
        nonlocal too_many
        too_many = next(left, None) is None
        if too_many:
            raise ValueError

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            tensors = build().state_dict()
        made = {f"head.{name}": list(tensor.shape) for name, tensor in tensors.items()}
    except Exception:
        if too_many:
            raise ValueError(f"head.json describes more than its {len(stored)} tensors") from None
    finally:
        hook.remove()
    for name, shape in made.items():
        if stored.get(name, shape) != shape:
            raise ValueError(f"{name} has the shape {stored[name]}, not {shape} as in head.json")
