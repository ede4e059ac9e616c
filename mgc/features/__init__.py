"""Audio → features on disk: which extractor, what is stored, and extraction on all cores."""
