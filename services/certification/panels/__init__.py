"""Decisions of the panel (pleno), which reserve certificates.

Not here: signing and issuing (certificates).
"""
