"""Audio files: decoded to mono float32, cut into clips, processed in worker processes.

Importing the package loads nothing.
"""
