"""Placements: work that a candidate has. Not here: the way to it (applications)."""
