"""The commands `events lag` (published and not read) and `events outbox` (not sent yet).

Not here: parked events.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ops.json_output import print_json
from ops.language import choose
from ops.local.operator_client import Operator, escape_markup, run_as_operator, select_services
from ops.text_output import print_text


def print_lag(service: str | None, *, as_json: bool) -> int:
    """Print how many events each reader is behind; return 0."""
    answers = _request_each(service, "/lag")
    total = sum(answer["behind"] for answer in answers)
    if as_json:
        print_json({"behind": total, "services": answers})
        return 0
    table = _create_table(
        choose("Pembaca", "Reader"),
        choose("Topik", "Topic"),
        choose("Partisi", "Partition"),
        choose("Berikutnya", "Next"),
        choose("Tertinggal", "Behind"),
    )
    for answer in answers:
        for partition in answer["partitions"]:
            if partition["next"] is None and not partition["behind"]:
                continue
            values = (partition["partition"], partition["next"], partition["behind"])
            numbers = ["-" if value is None else str(value) for value in values]
            table.add_row(answer["service"], partition["topic"], *numbers)
    Console(highlight=False).print(table)
    print_text(choose(f"Belum terbaca: {total} peristiwa.", f"Not read yet: {total} events."))
    return 0


def print_outbox(service: str | None, *, as_json: bool) -> int:
    """Print which events each service has not sent yet; return 0."""
    answers = _request_each(service, "/outbox")
    total = sum(answer["unsent"] for answer in answers)
    if as_json:
        print_json({"unsent": total, "services": answers})
        return 0
    table = _create_table(
        choose("Layanan", "Service"),
        choose("Menunggu", "Waiting"),
        choose("Tertua (detik)", "Oldest (seconds)"),
        choose("Kunci terhenti", "Blocked keys"),
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
            event = f"{answer['service']}: {row['type']} #{row['seq']}"
            console.print(escape_markup(event), style="dim", soft_wrap=True)
            console.print(f"  {escape_markup(row['key'])}", style="dim", soft_wrap=True)
    if any(answer["stopped_keys"] for answer in answers):
        print_text(
            choose(
                "Kunci terhenti karena Kafka menolak peristiwa: lihat ./bina events parked list.",
                "Keys are blocked because Kafka refuses an event: see ./bina events parked list.",
            )
        )
    return 0


def _create_table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    return table


def _request_each(service: str | None, path: str) -> list[dict[str, Any]]:
    async def each(operator: Operator) -> list[dict[str, Any]]:
        return [await operator.request(name, "GET", path) for name in select_services(service)]

    return run_as_operator(each)
