"""Writes golden_dasheng.json with the published package: ``pip install dasheng``, then run this.

For each length, the mean over time of the input of the first block, of the output of every block
but the last, and of the package's own answer, with the weights of `tiny.dasheng`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tiny import dasheng, sweep

SECONDS = (0.1, 2.0, 10.08)
TARGET = Path(__file__).with_name("golden_dasheng.json")


def states(seconds: float) -> list[list[float]]:
    """(layer, feature) of the published model."""
    from dasheng.pretrained.pretrained import Dasheng

    with tempfile.TemporaryDirectory() as made:
        folder = dasheng(Path(made))
        shape = json.loads((folder / "config.json").read_text())["encoder_kwargs"]
        tensors = load_file(folder / "model.safetensors")
    model = Dasheng(**shape).eval()
    front_end = {n: t for n, t in model.state_dict().items() if n.startswith("front_end.")}
    named = {name.removeprefix("encoder."): tensor for name, tensor in tensors.items()}
    model.load_state_dict(named | front_end, strict=True)
    seen: list[torch.Tensor] = []
    for block in model.blocks:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        last = model(torch.from_numpy(sweep(seconds))[None])
    return np.stack([state[0].mean(0).numpy() for state in [*seen, last]]).tolist()


if __name__ == "__main__":
    TARGET.write_text(json.dumps({str(seconds): states(seconds) for seconds in SECONDS}))
