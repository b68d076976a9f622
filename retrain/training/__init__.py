"""Bottlenecks in, a trained and measured head out."""
