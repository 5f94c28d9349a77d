"""Audit exports and findings, which prove the audit. Not here: rows and seals (jobs)."""
