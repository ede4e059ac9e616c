"""A run and any audio → an answer."""
