"""MongoDB and transactions. Not here: events as other services see them."""
