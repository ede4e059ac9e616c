"""What a run keeps of its training music: how unlike it a sound is, and whether it was in it.

A support vector machine per fold tells the textures (`mgc.extractors.texture`) of the fold's
training tracks from those of sounds that are not music; its decision value is the score, and the
scores of tracks that the machine was not fitted on are what a new sound's is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mgc.home import replace_file
from mgc.runs import Run, damaged

REFERENCE = "reference.safetensors"
#: For models whose training music nobody has: one linear machine, fitted on several collections,
#: and scores of each collection by a machine that did not know it; benchmarks/unknown.py wrote it.
ANY_MUSIC = Path(__file__).parent / "any_music.safetensors"
MAX_BYTES = 64 << 20
UNKNOWN = 0.01  # the share of held-out music that may be called unknown, if none is asked for
FAR = 4.0  # standard deviations; what is farther counts as this far


@dataclass(frozen=True)
class Machine:
    """A fitted support vector machine with a radial kernel, or a linear one.

    Attributes:
        mean, scale: (statistic,) what textures are standardised with.
        vectors: (vector, statistic) the support vectors, standardised.
        weights: (vector,) theirs.
        kernel: (2,) the kernel's gamma, 0 of a linear one, and the intercept.
    """

    mean: np.ndarray
    scale: np.ndarray
    vectors: np.ndarray
    weights: np.ndarray
    kernel: np.ndarray

    def score(self, textures: np.ndarray) -> np.ndarray:
        """(row,) the larger, the less like the music; ``textures`` is (row, statistic)."""
        rows = standardised(textures, self.mean, self.scale)
        gamma, intercept = self.kernel
        if not gamma:
            return np.asarray(rows @ self.vectors.T @ self.weights + intercept)
        lengths = [(some**2).sum(1) for some in (rows, self.vectors)]
        distances = lengths[0][:, None] + lengths[1] - 2 * rows @ self.vectors.T
        return np.asarray(np.exp(-gamma * distances) @ self.weights + intercept)

    def fits_together(self) -> bool:
        """Whether the shapes are possible."""
        vectors, statistics = self.vectors.shape
        shapes = [self.mean.shape, self.scale.shape, self.weights.shape, self.kernel.shape]
        return shapes == [(statistics,), (statistics,), (vectors,), (2,)]


def standardised(textures: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Textures in standard deviations, bounded."""
    return np.asarray(np.clip((textures - mean) / scale, -FAR, FAR))


@dataclass(frozen=True)
class Reference:
    """What a run keeps.

    Attributes:
        machines: one per fold.
        held_out: (track,) ascending scores of tracks that their machine was not fitted on.
        learnt: (track,) the `audio_keys` of the tracks that a head learnt from, ascending.
        revision: of the textures.
        held_out_keys: (track,) the `audio_keys` of those tracks, in their order; empty in a run
            made before they were kept.
    """

    machines: Sequence[Machine]
    held_out: np.ndarray
    learnt: np.ndarray
    revision: int
    held_out_keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    def unlike(self, texture: np.ndarray, rate: float) -> tuple[float, bool]:
        """The share of held-out tracks that are less unlike the training music; and whether it is
        known if this share of held-out music may be lost."""
        score = np.mean([machine.score(texture[None])[0] for machine in self.machines])
        unlike = float(np.searchsorted(self.held_out, score) / len(self.held_out))
        return unlike, bool(score <= self.limit(rate))

    def limit(self, rate: float) -> float:
        """The largest score of what is known, if this share of held-out music may be lost. At least
        one in n + 1 is: with fewer held-out tracks, a smaller rate cannot be kept.

        Up to the usual rate it is at least 0, beyond which a machine takes a sound for something
        other than music: music of other collections is often beyond all held-out tracks of one.
        """
        if not rate:
            return math.inf
        count = len(self.held_out)
        lost = int(max(rate, self.smallest_rate) * (count + 1) + 1e-9) - 1
        return max(float(self.held_out[count - 1 - lost]), 0.0 if rate <= UNKNOWN else -math.inf)

    def unknown_keys(self, rate: float) -> np.ndarray:
        """The `audio_keys` of the held-out tracks that are unknown at this rate."""
        return self.held_out_keys[self.held_out > self.limit(rate)]

    @property
    def smallest_rate(self) -> float:
        """The smallest share of held-out music that a limit can lose."""
        return 1 / (len(self.held_out) + 1)

    def has_learnt_from(self, key: str) -> bool:
        """Whether a training track has this audio key."""
        return bool(np.isin(np.uint64(int(key, 16)), self.learnt))

    def save(self, folder: Path, name: str = REFERENCE) -> None:
        """Write it into the folder of a run."""
        names = ("held_out", "held_out_keys", "learnt")
        arrays = {name: getattr(self, name) for name in names}
        for number, machine in enumerate(self.machines):
            arrays |= {f"{number}.{k}": v.astype(np.float32) for k, v in vars(machine).items()}
        content = save(arrays, metadata={"revision": str(self.revision)})
        replace_file(folder / name, content)


def audio_key(sha256: str) -> str:
    """What stands for a track's audio in a run: the first 16 digits of the file's SHA-256."""
    return sha256[:16]


def load_reference(run: Run) -> Reference | None:
    """What a run keeps of its training music; None in a run that keeps nothing.

    Raises MgcError if it is damaged.
    """
    path = run.folder / REFERENCE
    if not path.exists() and REFERENCE not in run.record.checksums:
        return None
    run.check(REFERENCE)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 20} MiB")
        return _read(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise damaged(run.folder, f"{REFERENCE}: {error}") from error


@cache
def any_music() -> Reference:
    """What tells music in general from other sounds."""
    return _read(ANY_MUSIC)


def _read(path: Path) -> Reference:
    with safe_open(path, framework="numpy") as file:
        revision = int(file.metadata()["revision"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    names = Machine.__annotations__
    count = len([name for name in arrays if name.endswith(".mean")])
    machines = [Machine(*(arrays[f"{n}.{name}"] for name in names)) for n in range(count)]
    keys = arrays.get("held_out_keys", np.empty(0, np.uint64))
    found = Reference(machines, arrays["held_out"], arrays["learnt"], revision, keys)
    ordered = found.held_out.ndim == 1 and len(found.held_out) and np.diff(found.held_out) >= 0
    paired = len(keys) in (0, len(found.held_out))
    if (
        not machines
        or not np.all(ordered)
        or not paired
        or not all(m.fits_together() for m in machines)
    ):
        raise ValueError("its arrays do not fit together")
    return found
