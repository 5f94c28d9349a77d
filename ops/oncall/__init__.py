"""The on-call server: notifies one person after another until somebody acknowledges it.

It also notices when Prometheus and Alertmanager themselves fall silent.
Not here: alert rules (deploy/monitoring).
"""
