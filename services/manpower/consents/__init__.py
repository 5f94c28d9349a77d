"""Consents: which data of a person may be shared with whom.

Not here: who sees a row for them.
"""
