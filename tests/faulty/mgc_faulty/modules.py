"""Gradient heads, sound but for one thing each."""

import torch
from torch import nn


class Mean(nn.Module):
    """The mean over valid frames, then two layers: nothing wrong with it."""

    def __init__(self, params, shape, genres):
        super().__init__()
        self.hidden = nn.Linear(shape.features, 16)
        self.output = nn.Linear(16, genres)

    def embed(self, features, lengths):
        steps = torch.arange(features.shape[2], device=features.device)
        mask = (steps < lengths[:, None])[:, None]
        return torch.tanh(self.hidden((features * mask).sum(2) / lengths[:, None]))

    def classify(self, embedding):
        return self.output(embedding)


class BatchStatistics(Mean):
    def embed(self, features, lengths):
        made = super().embed(features, lengths)
        return (made - made.mean(0)) / (made.std(0, correction=0) + 1e-3)


class IgnoresLengths(Mean):
    def embed(self, features, lengths):
        return torch.tanh(self.hidden(features.mean(2)))


class UnusedWeights(Mean):
    def __init__(self, params, shape, genres):
        super().__init__(params, shape, genres)
        self.left_over = nn.Linear(4, 4)


class FixedLength(Mean):
    def __init__(self, params, shape, genres):
        super().__init__(params, shape, genres)
        self.hidden = nn.Linear(60 * shape.features, 16)

    def embed(self, features, lengths):
        return torch.tanh(self.hidden(features.flatten(1)))
