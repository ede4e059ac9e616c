"""From what people have to a dataset: folders, tables, FMA, GTZAN, the demo."""
