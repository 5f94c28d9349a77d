"""Certificates from their reservation to their revocation, and their papers.

Not here: the status lists (statuslists) and the public check (verifications).
"""
