"""MongoDB, stores, transactions, leases. Not here: Kafka and consumed events (messaging)."""
