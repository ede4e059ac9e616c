"""Constant-Q, variable-Q and tempogram features for mgc."""
