"""Places of assessment (TUK) and their verification before use.

Not here: bookings of a day (schedules).
"""
