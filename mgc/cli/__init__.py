"""The command line: the only place that prints. Heavy imports stand inside functions."""
