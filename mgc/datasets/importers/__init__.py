"""Importers that turn music on disk into a dataset: folders, tables, FMA, GTZAN, the demo."""
