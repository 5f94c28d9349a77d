"""Scheduled gauges of manpower. Not here: alerts on them (deploy/monitoring)."""
