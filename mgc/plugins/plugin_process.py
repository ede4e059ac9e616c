"""The code of another package's head or strategy, in a process of its own: whatever it does there,
nothing else is affected."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from mgc.audio.processes.workers import Workers
from mgc.errors import AudioError
from mgc.plugins.distributions import BUILTIN_OWNER
from mgc.plugins.plugin_spec import PluginSpec

MAX_KEPT = 4  # plug-ins whose processes stay warm
ANSWER_SECONDS = 600.0  # an answer for some tracks that takes longer counts as hung


def is_wanted(distribution: str) -> bool:
    """Whether the code of a distribution is to run apart. That of torchrun's processes is not: they
    have found each other."""
    ours = distribution == BUILTIN_OWNER
    return bool(sys.executable) and not ours and "WORLD_SIZE" not in os.environ


def ask(
    spec: PluginSpec,
    load: str,
    request: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    count: int = 1,
    many_threads: bool = True,
    told: Callable[[Any], None] | None = None,
) -> Any:
    """What one of the plug-in's ``count`` processes answers; see `mgc.audio.processes.workers`.

    Raises MgcError that names the plug-in for whatever its code does.
    """
    here = tuple(sys.path), tuple(os.environ.items())
    whose = spec.kind_of_plugin, spec.name, load, json.dumps(settings or {}), count, many_threads
    workers = _workers(whose, here)
    with spec.blamed("a process of its own"):
        try:
            return workers.call(request, seconds, tries=1, told=told)
        except AudioError as error:
            raise spec.failure(f"{error.message}.") from error
        except KeyboardInterrupt:
            _workers.cache_clear()
            workers.close()
            raise


@lru_cache(MAX_KEPT)
def _workers(whose: tuple[Any, ...], here: tuple[Any, ...]) -> Workers:
    *_, load, settings, count, many_threads = whose
    return Workers(load, json.loads(settings), count, many_threads)
