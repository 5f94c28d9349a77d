"""Manpower: the bridge from the prisons to the offices and employers that give work."""
