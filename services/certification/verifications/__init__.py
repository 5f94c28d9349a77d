"""Verification: does this certificate hold, and what does it say."""
