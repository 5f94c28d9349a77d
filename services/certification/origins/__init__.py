"""Where a candidate comes from, kept apart from everything that is printed.

Not here: certificates, which hold only the opaque id of an origin.
"""
