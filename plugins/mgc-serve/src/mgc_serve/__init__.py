"""A local page and an HTTP API for mgc."""
