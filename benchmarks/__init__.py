"""Measures mgc's speed side by side with named peers: ``python -m benchmarks --help``."""
