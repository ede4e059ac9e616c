"""The statistics of `pooling` as a torch module, so that a head can learn on top of them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mgc.heads.layers import valid
from mgc.heads.pooling import BAND_EDGES, HANN, LEADING, MIN_POWER, MODULATION_WINDOW

MIN_VARIANCE = 1e-6
MAX_DEVIATIONS = 4.0  # deviations; a statistic beyond this is an outlier


class Description(nn.Module):
    """The statistics of a sequence, standardised, through one hidden layer: a few hundred tracks
    are enough to learn from them."""

    def __init__(self, rows: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.statistics = SequenceStatistics(rows)
        self.standardise = nn.BatchNorm1d(self.statistics.size, affine=False)
        self.hidden = nn.Sequential(
            nn.Hardtanh(-MAX_DEVIATIONS, MAX_DEVIATIONS),
            nn.Dropout(dropout),
            nn.Linear(self.statistics.size, hidden),
            nn.LayerNorm(hidden),
            nn.GELU(),
        )

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """(clip, row, frame) and valid frames (clip,) → (clip, hidden)."""
        with torch.autocast(rows.device.type, enabled=False):  # powers of small numbers
            statistics = self.standardise(self.statistics(rows, lengths))
        described: Tensor = self.hidden(statistics)
        return described


class SequenceStatistics(nn.Module):
    """Moments of all rows, correlations and modulation power of the leading ones; no weights.

    The rows should be whitened, the most important first; the numbers are those of
    `mgc.heads.pooling.statistics`. ``size`` is how many there are.
    """

    hann: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.leading = min(LEADING, rows)
        pairs = self.leading * (self.leading - 1) // 2
        self.size = 5 * rows + pairs + self.leading * len(BAND_EDGES)
        self.register_buffer("hann", torch.from_numpy(HANN), persistent=False)

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """(clip, row, frame) and valid frames (clip,) → (clip, size) float32."""
        rows = rows.float()
        mask = valid(lengths, rows.shape[2])
        count = mask.sum(2, keepdim=True)
        mean = (rows * mask).sum(2, keepdim=True) / count
        centred = (rows - mean) * mask
        deviation = _root(centred.square().sum(2, keepdim=True) / count)
        unit = centred / deviation
        parts = [
            mean[:, :, 0],
            deviation[:, :, 0],
            step_deviation(centred, mask),
            unit.pow(3).sum(2) / count[:, :, 0],
            unit.pow(4).sum(2) / count[:, :, 0],
            self.correlations(unit[:, : self.leading]) / count[:, 0],
            self.modulations(centred[:, : self.leading], lengths),
        ]
        return torch.cat(parts, 1)

    def correlations(self, unit: Tensor) -> Tensor:
        """Sum over time of the products of each pair of rows (clip, pair)."""
        first, second = torch.triu_indices(
            self.leading, self.leading, 1, device=unit.device
        ).unbind()
        return (unit @ unit.transpose(1, 2))[:, first, second]

    def modulations(self, centred: Tensor, lengths: Tensor) -> Tensor:
        """Log power in bands of modulation frequency (clip, row × band), by Welch's method."""
        half = MODULATION_WINDOW // 2
        padded = nn.functional.pad(centred, (0, max(0, MODULATION_WINDOW - centred.shape[2])))
        windows = padded.unfold(2, MODULATION_WINDOW, half)
        windows = (windows - windows.mean(3, keepdim=True)) * self.hann
        power = torch.fft.rfft(windows).abs().square()
        whole = valid((lengths - MODULATION_WINDOW) // half + 1, windows.shape[2])[:, :, :, None]
        power = (power * whole).sum(2) / whole.sum(2)
        edges = [*BAND_EDGES.tolist(), power.shape[2]]
        bands = [power[:, :, a:b].sum(2) for a, b in pairwise(edges)]
        return (torch.stack(bands, 2) + MIN_POWER).log().flatten(1)


def step_deviation(centred: Tensor, mask: Tensor) -> Tensor:
    """Deviation of the step from one frame to the next (clip, row)."""
    both = mask[:, :, 1:]
    count = both.sum(2).clamp(min=1)
    step = (centred[:, :, 1:] - centred[:, :, :-1]) * both
    mean = step.sum(2, keepdim=True) / count[:, :, None]
    return _root((((step - mean) * both).square().sum(2)) / count)


def _root(variance: Tensor) -> Tensor:
    return (variance + MIN_VARIANCE).sqrt()
