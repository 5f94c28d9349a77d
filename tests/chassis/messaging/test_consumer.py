"""How polled records are distributed to parallel transactions (generated cases).

None is left out or taken twice, and a partition is in one transaction at a time.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging import consumer
from chassis.messaging.kafka_ports import Record

take_batch = consumer._take_batch  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

TRANSACTIONS = st.lists(st.integers(0, 2), max_size=400)
QUEUES = st.dictionaries(
    st.integers(0, 11),
    st.lists(
        st.sampled_from([10, 1_000, consumer.MAX_BYTES // 2, consumer.MAX_BYTES + 1]),
        min_size=1,
        max_size=9,
    ),
    max_size=12,
)


@given(queues=QUEUES, transactions=TRANSACTIONS, most=st.integers(1, 7))
def test_batches_take_each_record_once_and_a_partition_is_in_one_only(
    queues: dict[int, list[int]], transactions: list[int], most: int
) -> None:
    answer = {
        number: [
            Record("t", number, offset, b"k", b"x" * size, (), 0)
            for offset, size in enumerate(sizes)
        ]
        for number, sizes in queues.items()
    }
    waiting = {number: list(records) for number, records in answer.items()}
    taken = dict[int, list[Record]]()
    hands: dict[int, dict[int, list[Record]]] = {}
    for transaction in [*transactions, *[0, 1, 2] * sum(map(len, answer.values()))]:
        waiting |= hands.pop(transaction, {})
        before = set(waiting)
        part, rest = take_batch(waiting, most) if waiting else ([], {})
        assert bool(part) == bool(before)
        assert len(part) <= most
        assert (
            len(part) == 1 or sum(len(record.value or b"") for record in part) <= consumer.MAX_BYTES
        )
        for record in part:
            taken.setdefault(record.partition, []).append(record)
        assert {record.partition for record in part} | set(rest) == before - set(waiting)
        hands[transaction] = rest
    assert taken == answer
