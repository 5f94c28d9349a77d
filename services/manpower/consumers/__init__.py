"""Consumers: the systems and officer groups of an agency that may read."""
