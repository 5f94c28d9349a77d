"""Status lists: one bit per certificate and purpose, published on a fixed tick."""
