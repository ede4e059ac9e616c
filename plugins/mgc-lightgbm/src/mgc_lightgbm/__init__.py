"""LightGBM as a head for mgc."""
