"""Manpower: the bridge between the prisons and the offices, employers and systems that give work."""
