"""What is in an audio file, read from its bytes without decoding: one module per family."""
