"""One self-contained page about some runs: works from disk, without a network."""

from mgc.reporting.page.page import Asked, make_report

__all__ = ["Asked", "make_report"]
