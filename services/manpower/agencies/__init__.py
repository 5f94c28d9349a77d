"""Offices and employers outside, and the routing table. Not here: their systems (consumers)."""
