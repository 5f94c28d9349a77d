"""Credentials of consumers: proposed by one person, approved by another.

Not here: secrets (gateway), and which grants a credential gets (grants).
"""
