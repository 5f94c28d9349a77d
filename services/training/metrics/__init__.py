"""Scheduled gauges over the stored data of training. Not here: alerts (deploy/monitoring)."""
