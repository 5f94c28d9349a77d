"""Backup and restore of the whole system, its keys apart. Not here: the servers (local)."""
