"""Systems and officer groups of an agency that may read.

Not here: their grants at the gateway (grants).
"""
