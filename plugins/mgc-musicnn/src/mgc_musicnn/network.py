"""The network (Pons and Serra 2019, "musicnn: pre-trained convolutional neural networks for music
audio tagging"), equal to the original in TensorFlow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BANDS = 96
TIMBRAL = ((7, 38), (7, 67))  # (frames, bands) of the kernels
TEMPORAL = ((128, 1), (64, 1), (32, 1))
FRONT = 2 * 204 + 3 * 51  # features per frame, 561
FRAMES = FRONT + 3 * 64  # 753
#: The features of each output.
WIDTHS = {"frames": FRAMES, "pooled": 2 * FRAMES, "penultimate": 200, "tags": 50}


class Convolution(nn.Module):
    """Convolution, ReLU, batch norm, and the maximum over frequency: (patch, 1, frame, band) →
    (patch, channel, frame)."""

    def __init__(self, channels: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        frames = kernel[0]
        self.padding = (0, 0, (frames - 1) // 2, frames // 2)
        self.convolution = nn.Conv2d(1, channels, kernel)
        self.norm = nn.BatchNorm1d(channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Any number of frames."""
        heard = self.convolution(nn.functional.pad(x, self.padding))
        # ReLU and batch norm are monotonic: the maximum, or the minimum if batch norm turns the
        # order around, can be taken first, which leaves them 1 / 96 of the work.
        found = torch.where(self.norm.weight[:, None] < 0, heard.amin(-1), heard.amax(-1))
        normed: Tensor = self.norm(found.relu())
        return normed


class Network(nn.Module):
    """Log-mel patches (patch, frame, band) → `frames`, `pooled`, `penultimate`, `tags`."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, eps=1e-3)
        self.front = nn.ModuleList(
            [Convolution(204, kernel) for kernel in TIMBRAL]
            + [Convolution(51, kernel) for kernel in TEMPORAL]
        )
        self.middle = nn.ModuleList(Convolution(64, (7, width)) for width in (FRONT, 64, 64))
        self.pooled_norm = nn.BatchNorm1d(2 * FRAMES, eps=1e-3)
        self.dense = nn.Linear(2 * FRAMES, WIDTHS["penultimate"])
        self.dense_norm = nn.BatchNorm1d(WIDTHS["penultimate"], eps=1e-3)
        self.output = nn.Linear(WIDTHS["penultimate"], WIDTHS["tags"])

    def frames(self, mel: Tensor) -> Tensor:
        """(patch, 753, frame), any number of frames."""
        x = self.norm(mel[:, None])
        found = [torch.cat([block(x) for block in self.front], 1)]
        for number, block in enumerate(self.middle):
            x = block(found[-1].transpose(1, 2)[:, None])
            found.append(x + found[-1] if number else x)
        return torch.cat(found, 1)

    def pooled(self, mel: Tensor) -> Tensor:
        """(patch, 1506): the maximum and the mean over time of each feature, in turn."""
        frames = self.frames(mel)
        return torch.stack([frames.amax(-1), frames.mean(-1)], -1).flatten(1)

    def penultimate(self, mel: Tensor) -> Tensor:
        """(patch, 200)."""
        normed: Tensor = self.dense_norm(self.dense(self.pooled_norm(self.pooled(mel))).relu())
        return normed

    def tags(self, mel: Tensor) -> Tensor:
        """(patch, 50) in [0, 1]."""
        return torch.sigmoid(self.output(self.penultimate(mel)))
