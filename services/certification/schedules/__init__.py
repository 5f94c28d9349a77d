"""Days of assessors and venues: how much fits into one day.

Not here: the assignment that books a day (applications).
"""
