"""Verification and signed exports of the audit. Not here: rows and seals (jobs)."""
