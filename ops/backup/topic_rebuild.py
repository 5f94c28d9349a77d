"""The topics made anew from the archive of a restored database: what was sent in the last 30 days before the backup. Not here: what was not yet sent; its relay sends that.

What comes out is what Kafka would still hold. Readers begin at the start and drop what had taken effect; what had not yet takes effect now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.admin import replay
from chassis.messaging import kafka, outbox_relay
from chassis.messaging.kafka import BrokerAccess, KafkaProducer, SendFailed
from chassis.persistence.mongo import Mongo
from ops.errors import OperatorError


async def rebuild_topic(
    db: Mongo,
    service: str,
    broker_access: BrokerAccess,
    until: datetime,
    on_sent: Callable[[int], None],
) -> int:
    """Send what the topic of this service held at that time, in order of key and seq; how many events. OperatorError when Kafka does not take it."""
    topic, since = f"{service}.events", until - timedelta(days=kafka.RETENTION_DAYS)
    await unmark_rows_after_gaps(db)
    cursor, count = None, 0
    producer = KafkaProducer(broker_access, "bina-restore")
    try:
        await producer.start()
        while True:
            rows, cursor = await replay.page(
                db, {"sent": True, "at": {"$gte": since}}, cursor, replay.PAGE
            )
            if failure := (
                await producer.send_all(topic, [outbox_relay.record(row, service) for row in rows])
            ).failure:
                raise failure
            count += len(rows)
            on_sent(len(rows))
            if cursor is None:
                return count
    except SendFailed as error:
        raise OperatorError(
            f"Kafka tidak menerima peristiwa untuk {topic} ({error}): perbaiki Kafka, lalu ulangi dengan --replace.",
            f"Kafka takes no events for {topic} ({error}): mend it, then try again with --replace.",
        ) from error
    finally:
        await producer.stop()


async def unmark_rows_after_gaps(db: Mongo) -> None:
    """Let nothing of a key count as sent behind what does not: marks are set many at a time, and the moment of a backup may lie between two of them."""
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
