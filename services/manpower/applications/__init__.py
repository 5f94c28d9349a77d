"""Job applications: a candidate's way to one vacancy.

Not here: work that began (placements).
"""
