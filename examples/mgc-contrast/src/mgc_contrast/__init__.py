"""The extractor contrast for mgc."""
