"""A local page and an HTTP API for mgc."""

__version__ = "0.1.0"
