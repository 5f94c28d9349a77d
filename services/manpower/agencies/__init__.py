"""Outside offices and employers, and the routing table. Not here: their systems (consumers)."""
