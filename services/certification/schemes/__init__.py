"""Certification schemes, published in editions that never change.

Not here: their public page (verifications).
"""
