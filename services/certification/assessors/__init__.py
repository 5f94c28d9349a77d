"""Assessors, their licence and their scope at one LSP.

Not here: what they assess (applications).
"""
