"""Backup and restore of all databases, with the keys stored apart. Not here: the servers."""
