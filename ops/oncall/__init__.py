"""The on-call server: notifies one person after another until somebody acknowledges it.

It also opens an incident when the watchdog alert of Prometheus stops arriving.
Not here: alert rules (deploy/monitoring).
"""
