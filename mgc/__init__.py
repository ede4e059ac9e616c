"""mgc: which genre is this, how sure are we, and which view of the sound tells us?

This is the whole surface that a plug-in needs to declare itself; importing it loads neither
numpy nor torch.
"""

from mgc.errors import AudioError, MgcError, UsageError
from mgc.plugins.contract import ExtractorInfo, FeatureShape, HeadInfo, StrategyInfo
from mgc.plugins.hookspecs import hookimpl

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "ExtractorInfo",
    "FeatureShape",
    "HeadInfo",
    "MgcError",
    "StrategyInfo",
    "UsageError",
    "__version__",
    "hookimpl",
]
