"""The command line: the only place that prints. Heavy imports are inside functions."""
