"""Plug-ins with one fault each: the conformance checks must find it, and say how to mend it."""
