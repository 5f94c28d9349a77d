"""Status lists: one bit per certificate and purpose, published on a fixed tick.

Not here: which certificate has which slot (certificates).
"""
