"""Fetching published datasets: resumable, verified, unpacked safely."""
