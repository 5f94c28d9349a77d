"""A bench runs on servers of its own and reports under stable names."""

import asyncio
import json

import pytest

from chassis.messaging.kafka_topics import ensure_topic
from ops import bench
from ops.errors import OperatorError
from ops.local import mongo_users


async def _counts(mongo_url: str, kafka: str) -> bench.BenchResult:
    async with mongo_users.open_admin_database(mongo_url) as mongo:
        await mongo.insert("things", [{"_id": 1}, {"_id": 2}])
        found = await mongo.count("things", {})
    await ensure_topic(kafka, "bench", partitions=1)
    return bench.BenchResult(figures={"documents": found}, ratios={"half": found / 4})


def test_a_bench_answers_one_document_with_its_figures_and_the_machine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench.bench("counts", as_json=True, benches={"counts": _counts}) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"bench", "machine", "figures", "ratios"}
    assert (answer["bench"], answer["figures"], answer["ratios"]) == (
        "counts",
        {"documents": 2},
        {"half": 0.5},
    )
    assert answer["machine"]["cores"] >= 1


def test_a_bench_beyond_its_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_mongo_url: str, _kafka: str) -> bench.BenchResult:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setenv("BINA_MONGO_URL", "mongodb://127.0.0.1/")
    monkeypatch.setenv("BINA_KAFKA", "127.0.0.1:9092")
    with pytest.raises(OperatorError, match="tidak selesai"):
        bench.bench("never", as_json=True, benches={"never": never}, seconds=0.05)
