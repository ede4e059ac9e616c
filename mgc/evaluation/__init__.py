"""How good runs are, side by side: tests, tables, pictures."""
