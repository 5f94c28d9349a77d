"""Odd requests to every route of every service. Not here: what a sound request does."""
