"""Placements: work that was found."""
