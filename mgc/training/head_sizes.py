"""A torch head that is built from a file's facts takes no more memory than the file's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy

from mgc.errors import MgcError


@contextmanager
def bounded_by(path: Path) -> Iterator[None]:
    """Within the block, a module whose parameters are not those of a safetensors file is not built.

    Each parameter is looked at before it is initialised: until then, its memory is not used.

    Raises:
        MgcError: a parameter is larger than all tensors of the file, or there are far more.
    """
    with safe_open(path, "pt") as file:
        sizes = [prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
    left = iter(range(2 * len(sizes)))  # some parameters are replaced while a head is built

    def check(module: nn.Module, name: str, parameter: Tensor) -> None:
        too_large = not is_lazy(parameter) and parameter.numel() > max(sizes)
        if too_large or next(left, None) is None:
            raise MgcError(
                f"{path} is damaged: head.json describes a larger head.", "Fit the head again."
            )

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()
