"""Showing what a run found out."""
