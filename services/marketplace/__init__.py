"""Marketplace: products, stock, sales, and the share of each person and the state.

Not here: who was trained in what, which belongs to training.
"""
