"""Manpower: the bridge from the prisons to the offices and employers that give work.

Not here: the rights of an agency's users at the gateway, which belong to gateway.access.
"""
