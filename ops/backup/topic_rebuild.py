"""Fills the topic of a restored service from its archive.

It sends the events of the 30 days before the backup, which Kafka would still have. Readers begin at
the start of the topic and drop the events that took effect already. Not here: events that were not
sent yet, which the relay of the service sends.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.admin import replay
from chassis.messaging import kafka_topics, outbox_relay
from chassis.messaging.kafka import KafkaProducer
from chassis.messaging.kafka_ports import BrokerAccess, SendFailed
from chassis.persistence.mongo import Mongo
from ops.errors import OperatorError


async def rebuild_topic(
    db: Mongo,
    service: str,
    broker_access: BrokerAccess,
    until: datetime,
    on_sent: Callable[[int], None],
) -> int:
    """Send the events that the topic had at `until`, in order of key and seq; return the number.

    Raises OperatorError when Kafka refuses an event.
    """
    topic = f"{service}.events"
    sent_since = {"sent": True, "at": {"$gte": until - timedelta(days=kafka_topics.RETENTION_DAYS)}}
    await unmark_rows_after_gaps(db)
    position = None
    count = 0
    producer = KafkaProducer(broker_access, "bina-restore")
    try:
        await producer.start()
        while True:
            rows, position = await replay.page(db, sent_since, position, replay.PAGE)
            records = [outbox_relay.record(row, service) for row in rows]
            result = await producer.send_all(topic, records)
            if result.failure:
                raise result.failure
            count += len(rows)
            on_sent(len(rows))
            if position is None:
                return count
    except SendFailed as error:
        raise OperatorError(
            f"Kafka tidak menerima peristiwa untuk {topic} ({error}): perbaiki Kafka, lalu ulangi "
            "dengan --replace.",
            f"Kafka accepts no events for {topic} ({error}): repair Kafka, then try again with "
            "--replace.",
        ) from error
    finally:
        await producer.stop()


async def unmark_rows_after_gaps(db: Mongo) -> None:
    """Mark rows that follow an unsent row of their key as unsent.

    The relay marks sent rows in several writes, and a backup may be taken between two of them.
    """
    await db.ensure_collection(
        outbox_relay.OUTBOX, None, outbox_relay.INDEXES, await db.collections()
    )
    for key in await db.aggregate(
        outbox_relay.OUTBOX,
        [{"$match": outbox_relay.UNSENT}, {"$group": {"_id": "$key", "first": {"$min": "$seq"}}}],
    ):
        await db.update(
            outbox_relay.OUTBOX,
            {"key": key["_id"], "seq": {"$gt": key["first"]}, "sent": True},
            {"$set": {"sent": False}},
            many=True,
        )
