"""Verification: whether a certificate is valid, and what it says.

Not here: changes of a certificate's state (certificates).
"""
