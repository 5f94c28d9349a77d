"""Scheduled gauges of marketplace: differences in stock and in the books, and what is owed."""
