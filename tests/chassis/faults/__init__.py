"""What each fault of MongoDB leads to, made by its fail points and by signals.

Not here: faults of Kafka.
"""
