"""Grants that the gateway must hold for consumers.

Not here: how they were agreed (consumers).
"""
