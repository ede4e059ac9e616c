"""Extractors, sound but for one thing each."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

HOP = 400


class Sound:
    """Log power of each frame in 20 bands: nothing wrong with it."""

    def __init__(self, params, device):
        self.params = params

    def __call__(self, clips):
        power = clips.power_spectrum(1024, HOP)[..., :500].unflatten(-1, (20, 25)).mean(-1)
        return self.finished(power).transpose(1, 2)

    def finished(self, power):
        return torch.log(power.clamp(min=1e-8))


class LoadsInInit(Sound):
    def __init__(self, params, device):
        super().__init__(params, device)
        weights = Path.home() / "weights-that-may-be-absent"
        self.weights = weights.read_bytes() if weights.exists() else b""
        with open("/etc/hostname") as file:
            self.name = file.read()


class Transposed(Sound):
    def __call__(self, clips):
        return super().__call__(clips).transpose(1, 2)


class Uncentred(Sound):
    def __call__(self, clips):
        return super().__call__(clips)[..., 2:]


class Double(Sound):
    def finished(self, power):
        return super().finished(power.double())


class LogOfZero(Sound):
    def finished(self, power):
        return torch.log(power)


class DividesBySilence(Sound):
    def finished(self, power):
        return power / power.amax(dim=(1, 2), keepdim=True)


class NotOverdriven(Sound):
    def __call__(self, clips):
        return super().__call__(clips) + torch.sqrt(1.2 - clips.waves.abs().amax())


class NeedsAWindow(Sound):
    def __call__(self, clips):
        clips.waves.unfold(-1, 1024, HOP)
        return super().__call__(clips)


class Deaf(Sound):
    def finished(self, power):
        return torch.ones_like(power)


class Dropout(Sound):
    def finished(self, power):
        return torch.nn.functional.dropout(super().finished(power))


class BatchNormalised(Sound):
    def finished(self, power):
        level = super().finished(power)
        return (level - level.mean()) / level.std().clamp(min=1e-6)


class InPlace(Sound):
    def __call__(self, clips):
        power = clips.power_spectrum(1024, HOP)
        power += 1e-8
        return power.log()[..., :20].transpose(1, 2)


class Unseeded(Sound):
    def __init__(self, params, device):
        super().__init__(params, device)
        self.seed = hash("unseeded") % 2**31

    def finished(self, power):
        generator = torch.Generator().manual_seed(self.seed)
        return super().finished(power) @ torch.randn(20, 20, generator=generator)


class OpenParams(Sound):
    @dataclass
    class Params:
        width: int


class PathParams(Sound):
    @dataclass(frozen=True)
    class Params:
        model: Path = Path("weights")


class Changed(Sound):
    def finished(self, power):
        return 1.1 * super().finished(power)


class ClockIdentity(Sound):
    def identity(self):
        return f"weights read at {time.time()}"


class Masked(Sound):
    def __call__(self, clips):
        return np.ma.masked_less(super().__call__(clips).numpy(), -10)


class BigEndian(Sound):
    """Nothing wrong with this one either: numpy arrays have many layouts."""

    def __call__(self, clips):
        made = super().__call__(clips).numpy().astype(">f4")[:, ::-1]
        made.flags.writeable = False
        return made


class Broken(Sound):
    def finished(self, power):
        raise RuntimeError("size mismatch")


class Leaves(Sound):
    def finished(self, power):
        if "mgc.checks.feature_extractors" not in __import__("sys").modules:
            os._exit(7)
        return super().finished(power)


class Literate(Sound):
    logit_scale = 10.0

    def __call__(self, clips):
        return super().__call__(clips).mean(-1)

    def embed_text(self, texts):
        return torch.stack([torch.sin(torch.arange(20.0) * len(text)) for text in texts])


class WideTexts(Literate):
    def embed_text(self, texts):
        return super().embed_text(texts).repeat(1, 2)


class Illiterate(Literate):
    def embed_text(self, texts):
        return torch.ones(len(texts), 20)


class UnscaledTexts(Literate):
    logit_scale = 0.0
