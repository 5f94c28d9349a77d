"""The commands `events lag` (published, unread) and `events outbox` (committed, not sent).

Not here: parked events.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ops.json_output import print_json
from ops.local.operator_client import Operator, run_as_operator, select_services


def print_lag(service: str | None, *, as_json: bool) -> int:
    """Print how many events each reader is behind; return 0."""
    answers = _request_each(service, "/lag")
    total = sum(answer["behind"] for answer in answers)
    if as_json:
        print_json({"behind": total, "services": answers})
        return 0
    table = Table(
        "Pembaca", "Topik", "Partisi", "Berikutnya", "Tertinggal", box=None, pad_edge=False
    )
    for answer in answers:
        for partition in answer["partitions"]:
            if partition["next"] is None and not partition["behind"]:
                continue
            values = (partition["partition"], partition["next"], partition["behind"])
            numbers = ["-" if value is None else str(value) for value in values]
            table.add_row(answer["service"], partition["topic"], *numbers)
    Console().print(table, f"Belum terbaca: {total} peristiwa.", sep="\n")
    return 0


def print_outbox(service: str | None, *, as_json: bool) -> int:
    """Print what each service has committed and not yet published; return 0."""
    answers = _request_each(service, "/outbox")
    total = sum(answer["unsent"] for answer in answers)
    if as_json:
        print_json({"unsent": total, "services": answers})
        return 0
    table = Table(
        "Layanan", "Menunggu", "Tertua (detik)", "Kunci terhenti", box=None, pad_edge=False
    )
    for answer in answers:
        table.add_row(
            answer["service"],
            str(answer["unsent"]),
            f"{answer['oldest_seconds']:.0f}",
            str(answer["stopped_keys"]),
        )
    console = Console(highlight=False)
    console.print(table)
    for answer in answers:
        for row in answer["items"]:
            line = f"{answer['service']}: {row['type']} nomor {row['seq']} dari {row['key']}"
            console.print(line, style="dim", markup=False, soft_wrap=True)
    if any(answer["stopped_keys"] for answer in answers):
        console.print("Kunci yang terhenti ditolak Kafka: lihat ./bina events parked list.")
    return 0


def _request_each(service: str | None, path: str) -> list[dict[str, Any]]:
    async def each(operator: Operator) -> list[dict[str, Any]]:
        return [await operator.request(name, "GET", path) for name in select_services(service)]

    return run_as_operator(each)
