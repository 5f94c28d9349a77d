"""Backup and restore of the whole system: all databases at one cluster time, and the keys apart from them."""
