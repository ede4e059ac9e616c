"""Runs × strategy → run."""
