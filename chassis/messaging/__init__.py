"""Events in and out: outbox, Kafka, inbox, parked events. Not here: what an event means.

Out: events, outbox_relay, kafka. In: consumer, received_events, batch_processor, inbox. Waiting:
parked_events, waiting_events.
"""
