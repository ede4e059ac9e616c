"""Progress of long work: bars and an epoch table on a terminal, plain lines when piped."""

from __future__ import annotations

import sys

from mgc.cli.ui.lines import PlainProgress
from mgc.progress import Progress


def progress() -> Progress:
    """Bars on a terminal, else lines."""
    if not sys.stderr.isatty():
        return PlainProgress()
    from mgc.cli.ui.bars import TerminalProgress  # rich's progress takes a while to import

    return TerminalProgress()
