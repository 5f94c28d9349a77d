"""Small runs of the event pipeline's benches: they do their work and report the fixed names."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.messaging.kafka import KafkaConsumer
from chassis.messaging.kafka_ports import Partition, Record
from chassis.persistence.mongo import Mongo
from ops.bench import BenchResult, gateway, growth, latency, pipeline, programs
from ops.bench.system_under_test import environment, manpower_events, topics
from ops.errors import OperatorError
from services.training.events import PUBLISHED

EVENTS = 700
RATIOS = (
    "consumer_to_hand",
    "consumer_to_faststream",
    "service_to_hand",
    "relay_to_hand",
    "relay_to_raw",
)


@dataclass(frozen=True, slots=True)
class Applied:
    """The state after a small run with bad events."""

    db: Mongo
    kafka: str
    namespace: str
    parked: int
    figures: Mapping[str, float]


@pytest.fixture(scope="module")
async def applied(
    mongo_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Applied]:
    namespace = f"test-{uuid.uuid4().hex[:8]}."
    database = f"test_{uuid.uuid4().hex[:8]}"
    parked = await topics.fill(kafka, namespace, EVENTS, partitions=2, bad=True)
    url = environment.database_url(mongo_url, database)
    env = environment.build_environment(
        environment.READING,
        tmp_path_factory.mktemp("bench"),
        mongo_url=url,
        kafka=kafka,
        driver="motor",
        namespace=namespace,
    )
    figures = await programs.run_program(
        "-m", "ops.bench.system_under_test.measure", str(EVENTS), "--relay", env=env
    )
    db = Mongo(url, database, "pymongo")
    yield Applied(db, kafka, namespace, parked, figures)
    await db.drop()
    await db.close()


async def test_the_measured_work_is_all_durable_work_of_an_event(
    applied: Applied,
) -> None:
    good = EVENTS - applied.parked
    assert good < EVENTS
    assert await applied.db.count("inbox", {"state": "done"}) == good
    assert sum(row["completed"] for row in await applied.db.find("progresses", {})) == good
    assert sum(row["seq"] for row in await applied.db.find("keys", {})) == good
    assert (
        await applied.db.count("outbox", {"type": "certification.completion-recorded.v1"}) == good
    )
    assert (
        await applied.db.count(
            "audit", {"action": {"$in": ["progresses.added", "progresses.changed"]}}
        )
        == good
    )
    assert sum(row["next"] for row in await applied.db.find("offsets", {})) == EVENTS


async def test_every_bad_event_is_parked_for_its_own_reason(applied: Applied) -> None:
    reasons = {row["reason"] for row in await applied.db.find("inbox", {"state": "parked"})}
    assert await applied.db.count("inbox", {"state": "parked"}) == applied.parked
    assert len(reasons) >= 5


async def test_the_measured_relay_sends_every_row_in_the_order_of_its_key(applied: Applied) -> None:
    assert await applied.db.count("outbox", {"sent": False}) == 0
    records = await _read(
        applied.kafka, f"{applied.namespace}certification.events", EVENTS - applied.parked
    )
    sequences_by_key: dict[bytes | None, list[int]] = {}
    for record in records:
        sequences_by_key.setdefault(record.key, []).append(int(dict(record.headers)["ce_sequence"]))
    assert all(
        sequence == list(range(1, len(sequence) + 1)) for sequence in sequences_by_key.values()
    )
    assert applied.figures["events_per_s"] > 0
    assert applied.figures["rows_per_s"] > 0


@pytest.mark.timeout(300)
async def test_the_pipeline_bench_gives_every_ratio_that_was_promised(
    mongo_url: str, kafka: str
) -> None:
    async def reference(program: str, *_: str, env: Mapping[str, str]) -> dict[str, float]:
        assert (programs.REFERENCE_DIRECTORY / program).exists()
        assert (env["BINA_MONGO_URL"], env["BINA_KAFKA"]) == (mongo_url, kafka)
        return {"events_per_s": 1.0, "rows_per_s": 1.0, "produce_per_s": 1.0, "consume_per_s": 1.0}

    found = await pipeline.measure(mongo_url, kafka, events=120, rounds=1, reference=reference)
    assert set(found.ratios) == {
        *RATIOS,
        *(f"{name}_pymongo" for name in RATIOS),
        "with_bad_events",
    }
    assert all(value > 0 for value in found.ratios.values())
    for driver in pipeline.DRIVERS:
        assert found.figures[f"service_consumer_{driver}_per_s"] > 0


async def test_manpower_is_measured_with_one_effect_for_each_event(
    mongo_url: str, kafka: str, tmp_path: Path
) -> None:
    """The program checks candidates, courses, audit and inbox rows itself; so does the test."""
    namespace = f"test-{uuid.uuid4().hex[:8]}."
    database = f"test_{uuid.uuid4().hex[:8]}"
    await topics.fill_for_manpower(kafka, namespace, EVENTS)
    url = environment.database_url(mongo_url, database)
    env = environment.build_environment(
        environment.MANPOWER,
        tmp_path,
        mongo_url=url,
        kafka=kafka,
        driver="motor",
        namespace=namespace,
    )
    figures = await programs.run_program(
        "-m", "ops.bench.system_under_test.measure_manpower", str(EVENTS), env=env
    )
    assert figures["events_per_s"] > 0
    db = Mongo(url, database, "pymongo")
    people = EVENTS // manpower_events.EVENTS_PER_PERSON
    candidates = await db.find("candidates", {})
    assert [len(candidate["courses"]) for candidate in candidates] == [3] * people
    assert sum(candidate["version"] for candidate in candidates) == EVENTS
    assert await db.count("inbox", {"state": "done"}) == EVENTS
    assert await db.count("inbox", {}) == EVENTS
    await manpower_events.check_effects(db, EVENTS)
    with pytest.raises(manpower_events.EffectsDiffer, match="inbox rows"):
        await manpower_events.check_effects(db, EVENTS + 1)
    await db.drop()
    await db.close()


def test_events_for_manpower_are_those_that_training_publishes() -> None:
    records = [manpower_events.build_record(number, 8, b"") for number in range(8)]
    published = {event.type: event for event in PUBLISHED}
    for key, body, headers in records:
        values = dict(headers)
        event = published[values["ce_type"].decode()].model_validate_json(body)
        assert event.key == key.decode() == values["ce_subject"].decode()
    sequences_by_key: dict[bytes, list[bytes]] = {}
    for key, _, headers in records:
        sequences_by_key.setdefault(key, []).append(dict(headers)["ce_sequence"])
    assert list(sequences_by_key.values()) == [[b"1", b"2", b"3", b"4"]] * 2
    assert len({dict(headers)["ce_id"] for _, _, headers in records}) == len(records)


async def test_a_reference_program_runs_on_the_named_servers(mongo_url: str, kafka: str) -> None:
    env = {
        **os.environ,
        "BINA_MONGO_URL": mongo_url,
        "BINA_KAFKA": kafka,
        "BINA_MONGO_DRIVER": "motor",
    }
    assert (await programs.run_reference("hand_pipeline.py", "100", "200", env=env))[
        "events_per_s"
    ] > 0


async def test_the_latency_bench_gives_every_figure_that_was_promised(
    mongo_url: str, kafka: str
) -> None:
    found = await latency.measure(mongo_url, kafka, rounds=1, seconds=0.3, warm_up_seconds=0.1)
    effects = {
        f"effect_{rate}_{share}_ms_{driver}"
        for rate in (50, 200)
        for share in ("p50", "p99")
        for driver in ("motor", "pymongo")
    }
    assert set(found.figures) == effects | {"command_50_p50_ms", "command_50_p99_ms"}
    assert all(value > 0 for value in found.figures.values())


@pytest.mark.needs("wrk")
@pytest.mark.needs("nginx")
async def test_the_gateway_bench_gives_every_ratio_that_was_promised(
    mongo_url: str, kafka: str
) -> None:
    found = await gateway.measure(mongo_url, kafka, rounds=1, seconds=1, uncached_tokens=300)
    assert set(found.ratios) == {"to_fastapi_httpx", "to_nginx", "uncached_to_fastapi_httpx"}
    assert set(found.figures) == {
        "gateway_per_s",
        "uncached_per_s",
        "fastapi_httpx_per_s",
        "nginx_per_s",
        "added_p99_ms",
    }
    assert all(value > 0 for value in found.ratios.values())


async def test_the_growth_bench_compares_a_full_outbox_with_an_empty_one(
    mongo_url: str, kafka: str
) -> None:
    usual, *_, archive, _ = growth.CASES
    found = await growth.measure(mongo_url, kafka, events=60, rounds=1, cases=(usual, archive))
    assert set(found.figures) == {
        f"{part}_{case}_us" for part in ("consumer", "relay") for case in ("usual", "archive_10x")
    }
    assert found.ratios["consumer_usual"] == 1


def test_the_table_replaces_only_what_is_between_its_marks() -> None:
    figures = {
        f"{part}_{case.name}_us": 100.0 for part in ("consumer", "relay") for case in growth.CASES
    }
    made = growth.render_table(
        BenchResult(figures=figures, ratios={name.removesuffix("_us"): 1.0 for name in figures})
    )
    document = growth.replace_table(f"before\n{growth.BEGIN}old\n{growth.END}\nafter\n", made)
    assert (document.splitlines()[0], document.splitlines()[-1]) == ("before", "after")
    assert "old" not in document
    assert document.count("| 100 (1.00) | 100 (1.00) |") == len(growth.CASES)
    assert growth.replace_table(document, made) == document


def test_the_document_of_the_figures_has_the_marks_of_the_table() -> None:
    text = growth.DOCUMENT.read_text(encoding="utf-8")
    assert text.count(growth.BEGIN) == text.count(growth.END) == 1


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert latency.quantile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert latency.quantile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert latency.quantile([7.0], 0.99) == 7.0


async def test_a_failing_program_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ModuleNotFoundError('faststream is missing')")
    with pytest.raises(OperatorError, match="faststream is missing"):
        await programs.run_program("broken.py", env={}, cwd=tmp_path)


async def _read(kafka: str, topic: str, count: int) -> list[Record]:
    """Return the first `count` records of a topic."""

    async def assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        return dict.fromkeys(partitions)

    async def revoked(_: set[Partition]) -> None:
        return

    consumer = KafkaConsumer(kafka, uuid.uuid4().hex, uuid.uuid4().hex, [topic])
    found = list[Record]()
    await consumer.start(assigned, revoked)
    try:
        while len(found) < count:
            found += [
                record for records in (await consumer.poll(500, 1.0)).values() for record in records
            ]
    finally:
        await consumer.stop()
    return found
