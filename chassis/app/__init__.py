"""Builds one process of a service from its definition (service.Service).

Not here: any route of a service.
"""
