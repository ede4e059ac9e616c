"""One self-contained page about some runs; it works from disk, without a network."""

from mgc.reporting.page.build import ReportRequest, make_report

__all__ = ["ReportRequest", "make_report"]
