"""Processes that work on audio files, so that no file can stop the others.

``pool`` hands the files out, ``fork_server`` and ``spawned_workers`` start the processes, and
``worker`` is what runs in them. Importing the package loads nothing.
"""
