"""Stored reports of roster acts: one request about up to 500 applications.

Not here: what a line does (the noun that it changes), the lines (chassis.rosters).
"""
