"""One self-contained page about some runs; it works from disk, without a network."""
