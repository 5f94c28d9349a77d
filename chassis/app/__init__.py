"""Composes one process of a service from its definition. Not here: any route of a service."""
