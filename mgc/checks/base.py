"""What every check uses: a subject, a finding with a remedy, and a piece of music."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from mgc.errors import MgcError
from mgc.plugins import params as plugin_params
from mgc.plugins import registry

Settings = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class Problem(AssertionError):  # noqa: N818 - what a check finds
    """A check failed: what was expected, what it got, and how to fix it."""

    def __init__(self, expected: str, got: str, mend: str) -> None:
        super().__init__(f"\n  expected: {expected}\n  got:      {got}\n  to fix:   {mend}")
        self.expected, self.got, self.mend = expected, got, mend


class NotApplicable(Exception):  # noqa: N818 - not an error: the check does not apply
    """Why a check cannot be run here."""


@dataclass(frozen=True)
class Check:
    """One small check, ready to call; raises `Problem` or `NotApplicable`."""

    name: str
    title: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Run the check."""
        self.run()


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check."""

    plugin: str
    kind: str
    check: str
    title: str
    verdict: Literal["passed", "failed", "skipped"]
    reason: str = ""
    expected: str = ""
    got: str = ""
    mend: str = ""


@dataclass(frozen=True, eq=False)
class Subject:
    """The plug-in to check, and the parameters to check it with.

    ``settings`` are as for ``--set``; a function that returns them is called at the first check
    (for example, after a test has written weights). ``variant`` names the golden numbers of these
    settings; without settings they are the plug-in's own.
    """

    entry: registry.Entry
    given: Settings = field(default_factory=dict)
    variant: str = ""

    @property
    def info(self) -> Any:
        """What it declares."""
        return self.entry.info

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The parameters that differ from the defaults."""
        return dict(self.given() if callable(self.given) else self.given)

    @cached_property
    def implementation(self) -> Any:
        """The class behind the record; of a command, the function or Typer group."""
        return registry.load(self.entry)

    @cached_property
    def params(self) -> Any:
        """The parameters, checked."""
        cls = plugin_params.params_class(self.implementation)
        return plugin_params.build(cls, self.settings, f"{self.entry.kind} {self.info.name}")

    @cached_property
    def module(self) -> str:
        """The module that declares the plug-in (not the one that implements it)."""
        for plugin in registry.catalogue().plugins:
            if self.entry in plugin.entries:
                return plugin.module
        raise MgcError(f"{self.info.name!r} is not declared by any installed package.")


def music(seconds: float, rate: int, seed: int = 0) -> Any:
    """A changing chord, beats, and a little noise: (sample,) float32 in [-1, 1]."""
    import numpy as np

    samples = round(seconds * rate)
    random = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    wave = 0.02 * random.standard_normal(samples)
    for start in np.arange(0.0, seconds, 0.4):
        pitch = 110.0 * 2.0 ** (random.integers(0, 36, size=3) / 12.0)
        voice = np.sin(2 * np.pi * pitch[:, None] * time).sum(0)
        wave += 0.2 * voice * np.exp(-5.0 * np.clip(time - start, 0.0, None)) * (time >= start)
    return np.clip(wave, -1.0, 1.0).astype(np.float32)
