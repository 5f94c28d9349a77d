"""Days of assessors and venues: their bookings and limits.

Not here: the assignment that books a day (applications).
"""
