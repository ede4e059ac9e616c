"""Logs as lines of JSON on stderr: what was asked and how it went, never what a file holds."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

EXTRA = ("method", "path", "status", "seconds", "trace")


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        said |= {name: vars(record)[name] for name in EXTRA if name in vars(record)}
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def config(level: str) -> dict[str, Any]:
    """The configuration of `logging`, for uvicorn."""
    own = {"handlers": ["lines"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines}},
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "loggers": {"mgc_serve": own, "uvicorn": own, "python_multipart": {"level": "CRITICAL"}},
    }
