"""Candidates: what is known of a person's way to work."""
