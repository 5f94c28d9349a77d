"""Events in and out: outbox, Kafka, inbox, parked events. Not here: what an event means."""
