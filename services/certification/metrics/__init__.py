"""Figures: what is measured now and then of what this service keeps, for those who watch it."""
