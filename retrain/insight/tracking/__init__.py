"""Trackers: programs that keep what runs were asked for and how good they were, beside each other."""
