"""A whole results table from one file: dataset, extractors, heads, seeds, strategies."""
