"""How output looks: tables, progress, terminal plots, shared options."""
