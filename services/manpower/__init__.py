"""Manpower: job placement of people from the prisons with outside offices and employers.

Not here: the rights of an agency's users at the gateway, which belong to gateway.access.
"""
