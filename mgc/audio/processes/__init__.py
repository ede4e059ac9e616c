"""Processes that work on audio files, so that no file can stop the others.

``pool`` hands the files out, ``launch`` and ``posix`` start the processes, and ``worker`` is what
runs in them. ``locks`` keeps two processes from the same work. Importing the package loads nothing.
"""
