"""The topics made anew from the archive of a restored database: what was sent in the last 30 days before the backup. Not here: what was not yet sent; its relay sends that.

What comes out is what Kafka would still hold. Readers begin at the start and drop what had taken effect; what had not yet takes effect now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis import kafka, outbox, replay
from chassis.kafka import KafkaProducer, SendFailed
from chassis.mongo import Mongo
from ops.trouble import Trouble


async def publish(db: Mongo, service: str, bootstrap: str, until: datetime, told: Callable[[int], None]) -> int:
    """Send what the topic of this service held at that time, in order of key and seq; how many events. Trouble when Kafka does not take it."""
    topic, since = f"{service}.events", until - timedelta(days=kafka.RETENTION_DAYS)
    await db.ensure_collection(outbox.OUTBOX, None, outbox.INDEXES, await db.collections())
    cursor, count = None, 0
    producer = KafkaProducer(bootstrap, "bina-restore")
    try:
        await producer.start()
        while True:
            rows, cursor = await replay.page(db, {"sent": True, "at": {"$gte": since}}, cursor, replay.PAGE)
            if failure := (await producer.send_all(topic, [outbox.record(row, service) for row in rows])).failure:
                raise failure
            count += len(rows)
            told(len(rows))
            if cursor is None:
                return count
    except SendFailed as error:
        raise Trouble(
            f"Kafka tidak menerima peristiwa untuk {topic} ({error}): perbaiki Kafka, lalu ulangi dengan --replace.",
            f"Kafka takes no events for {topic} ({error}): mend it, then try again with --replace.",
        ) from error
    finally:
        await producer.stop()
