"""Scheduled gauges of certification.

Not here: alerts on them (deploy/monitoring).
"""
