"""Datasets: tables of tracks with genre and split. They know nothing of features or models."""
