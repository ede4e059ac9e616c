"""From a run and any audio to an answer."""
