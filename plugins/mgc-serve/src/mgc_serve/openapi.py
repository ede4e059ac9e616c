"""The OpenAPI document of the API."""

METRICS = "text/plain; version=0.0.4"


def document() -> dict[str, object]:
    """The document."""
    return {"openapi": "3.1.0", "info": {"title": "mgc serve", "version": "1"}, "paths": {}}
