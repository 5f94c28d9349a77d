"""The system on one machine: servers, processes, secrets, users and ports.

Not here: what an operator does with the running system (`ops/events`, `ops/audit`, `ops/backup`).
"""
