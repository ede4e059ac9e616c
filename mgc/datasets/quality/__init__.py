"""Can files, labels and splits be trusted? Listening, auditing, duplicates."""
