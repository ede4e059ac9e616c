"""Audio files: decoded to mono float32, cut into clips. Importing the package loads nothing."""
