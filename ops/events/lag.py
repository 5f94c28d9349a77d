"""The commands `events lag` and `events outbox`: what is told and not yet heard, committed and not yet told. Not here: what is parked."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ops.json_output import print_json
from ops.local.operator_client import Operator, run_as_operator, select_services


def print_lag(service: str | None, *, as_json: bool) -> int:
    """How far each reader is behind, in events; 0."""
    told = _request_each(service, "/lag")
    total = sum(one["behind"] for one in told)
    if as_json:
        print_json({"behind": total, "services": told})
        return 0
    shown = Table(
        "Pembaca", "Topik", "Partisi", "Berikutnya", "Tertinggal", box=None, pad_edge=False
    )
    for one in told:
        for at in one["partitions"]:
            if at["next"] is not None or at["behind"]:
                shown.add_row(
                    one["service"],
                    at["topic"],
                    *(
                        str("-" if value is None else value)
                        for value in (at["partition"], at["next"], at["behind"])
                    ),
                )
    Console().print(shown, f"Belum terbaca: {total} peristiwa.", sep="\n")
    return 0


def print_outbox(service: str | None, *, as_json: bool) -> int:
    """What each service has committed and not yet published; 0."""
    told = _request_each(service, "/outbox")
    total = sum(one["unsent"] for one in told)
    if as_json:
        print_json({"unsent": total, "services": told})
        return 0
    shown = Table(
        "Layanan", "Menunggu", "Tertua (detik)", "Kunci terhenti", box=None, pad_edge=False
    )
    for one in told:
        shown.add_row(
            one["service"],
            str(one["unsent"]),
            f"{one['oldest_seconds']:.0f}",
            str(one["stopped_keys"]),
        )
    console = Console(highlight=False)
    console.print(shown)
    for one in told:
        for row in one["items"]:
            console.print(
                f"{one['service']}: {row['type']} nomor {row['seq']} dari {row['key']}",
                style="dim",
                markup=False,
                soft_wrap=True,
            )
    if any(one["stopped_keys"] for one in told):
        console.print("Kunci yang terhenti ditolak Kafka: lihat ./bina events parked list.")
    return 0


def _request_each(service: str | None, path: str) -> list[dict[str, Any]]:
    async def each(operator: Operator) -> list[dict[str, Any]]:
        return [await operator.request(one, "GET", path) for one in select_services(service)]

    return run_as_operator(each)
