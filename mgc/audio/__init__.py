"""Audio files: decoded to mono float32, cut into clips, worked on in processes.

Importing the package loads nothing.
"""
