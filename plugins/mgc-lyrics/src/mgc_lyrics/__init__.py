"""Lyrics as a feature for mgc."""
