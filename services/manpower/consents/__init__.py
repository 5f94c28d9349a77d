"""Consents: which data of a person may be shared with whom.

Not here: the rows that a reader sees by them (visibility).
"""
