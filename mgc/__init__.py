"""mgc: which genre is this, how sure are we, and which view of the sound tells us?

This is the whole surface that a plug-in needs to declare itself; importing it loads neither
numpy nor torch.
"""

from mgc.errors import AudioError, MgcError, UsageError
from mgc.plugins import former_paths as _former_paths
from mgc.plugins.contract import (
    CommandInfo,
    ExtractorInfo,
    FeatureShape,
    HeadInfo,
    StrategyInfo,
)
from mgc.plugins.hookspecs import hookimpl

__version__ = "0.1.0"
_former_paths.register()

__all__ = [
    "AudioError",
    "CommandInfo",
    "ExtractorInfo",
    "FeatureShape",
    "HeadInfo",
    "MgcError",
    "StrategyInfo",
    "UsageError",
    "__version__",
    "hookimpl",
]
