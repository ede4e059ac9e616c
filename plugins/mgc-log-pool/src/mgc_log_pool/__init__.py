"""The logarithmic opinion pool as an ensemble strategy for mgc."""
