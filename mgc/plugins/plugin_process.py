"""The code of another package's head or strategy, in a process of its own: whatever it does there,
nothing else is affected."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mgc.errors import AudioError
from mgc.plugins import registry
from mgc.plugins.distributions import BUILTIN_OWNER
from mgc.plugins.plugin_spec import PluginSpec

if TYPE_CHECKING:
    from mgc.audio.processes.workers import Workers

MAX_PROCESSES = 4  # that stay warm for the same kind of request, of a plug-in each
ANSWER_SECONDS = 600.0  # an answer for some tracks that takes longer counts as hung


def is_wanted(distribution: str) -> bool:
    """Whether the code of a distribution is to run apart. That of torchrun's processes is not: they
    have found each other."""
    ours = distribution == BUILTIN_OWNER
    return bool(sys.executable) and not ours and "WORLD_SIZE" not in os.environ


def start_ahead(kind: str, names: Collection[str], module: str) -> None:
    """Start what `ask` a function of this module needs, if one of these plug-ins will: while this
    process still imports other things."""
    found = [entry for entry in registry.catalogue().entries(kind) if entry.info.name in names]
    if any(is_wanted(e.distribution) for e in found):
        from mgc.audio.processes import launch, posix

        if launch.start_method() == "fork":
            posix.start_ahead(module, many_threads=True)


def ask(
    spec: PluginSpec,
    load: str,
    request: Any,
    *,
    seconds: float | None = None,
    workers: Workers | None = None,
    told: Callable[[Any], None] | None = None,
) -> Any:
    """What the plug-in's process answers, one of ``workers``; see `mgc.audio.processes.workers`.

    Raises MgcError that names the plug-in for whatever its code does.
    """
    workers = workers or _workers(load, tuple(sys.path), tuple(os.environ.items()))
    whose = f"{spec.kind_of_plugin} {spec.name}"
    with spec.blamed("a process of its own"):
        try:
            return workers.call(request, seconds, 1, told, whose)
        except AudioError as error:
            raise spec.failure(f"{error.message}.") from error
        except KeyboardInterrupt:
            _workers.cache_clear()
            workers.close()
            raise


@lru_cache(3)  # there are three kinds of requests
def _workers(load: str, *_: tuple[Any, ...]) -> Workers:
    from mgc.audio.processes.workers import Workers

    return Workers(load, count=MAX_PROCESSES, many_threads=True)
