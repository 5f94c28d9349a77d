"""Agencies: the offices and employers outside, and which of them answers for what."""
