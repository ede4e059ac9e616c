"""The five hooks of mgc. Each docstring contains a working plug-in."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mgc.plugins.contract import CommandInfo, ExtractorInfo, HeadInfo, ModelInfo, StrategyInfo

hookspec = pluggy.HookspecMarker("mgc")
hookimpl = pluggy.HookimplMarker("mgc")


@hookspec
def mgc_extractors() -> Iterable[ExtractorInfo]:
    """Declare feature extractors.

    .. code-block:: python

        from mgc import ExtractorInfo, hookimpl

        @hookimpl
        def mgc_extractors():
            yield ExtractorInfo(
                name="loudness", summary="RMS level of each frame",
                load="my_package.loudness:Loudness",
                sample_rate=22_050, hop_samples=512, unit="dB",
            )
    """
    raise NotImplementedError  # pragma: no cover - pluggy only reads the signature


@hookspec
def mgc_heads() -> Iterable[HeadInfo]:
    """Declare classifier heads.

    .. code-block:: python

        from mgc import HeadInfo, hookimpl

        @hookimpl
        def mgc_heads():
            yield HeadInfo(
                name="nearest", summary="k nearest neighbours on pooled statistics",
                load="my_package.nearest:Nearest", trained_by="estimator",
            )
    """
    raise NotImplementedError  # pragma: no cover - pluggy only reads the signature


@hookspec
def mgc_strategies() -> Iterable[StrategyInfo]:
    """Declare ensemble strategies.

    .. code-block:: python

        from mgc import StrategyInfo, hookimpl

        @hookimpl
        def mgc_strategies():
            yield StrategyInfo(
                name="median", summary="median of the members' probabilities",
                load="my_package.median:Median",
            )
    """
    raise NotImplementedError  # pragma: no cover - pluggy only reads the signature


@hookspec
def mgc_commands() -> Iterable[CommandInfo]:
    """Declare commands of the command line.

    .. code-block:: python

        from mgc import CommandInfo, hookimpl

        @hookimpl
        def mgc_commands():
            yield CommandInfo(
                name="serve", summary="Answer over HTTP",
                load="my_package.serve:serve",
            )
    """
    raise NotImplementedError  # pragma: no cover - pluggy only reads the signature


@hookspec
def mgc_models() -> Iterable[ModelInfo]:
    """Declare ready-made models.

    .. code-block:: python

        from mgc import ModelInfo, hookimpl

        @hookimpl
        def mgc_models():
            yield ModelInfo(
                name="dances", summary="four ballroom dances, from 2,000 tracks of my own",
                load="my_package.dances:write_run",
                genres=("foxtrot", "rumba", "tango", "waltz"), bytes=1_200_000,
            )
    """
    raise NotImplementedError  # pragma: no cover - pluggy only reads the signature
