"""Consents: what a person allowed to be told to whom."""
