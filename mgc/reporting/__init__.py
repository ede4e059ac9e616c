"""Plots, tables and the report page."""
