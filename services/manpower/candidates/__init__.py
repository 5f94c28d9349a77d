"""Candidates: skills, courses, work and month of release.

Not here: names (training has them).
"""
