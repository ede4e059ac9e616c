"""Reviewing a dataset's labels: what to hear first, and what people said."""
