"""The demo dataset's music, synthesised from a seed."""
