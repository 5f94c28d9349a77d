"""The command `events tail`: what goes by on the topics: headers, and bodies redacted by rule. Not here: how a topic is read."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

from rich.console import Console

from chassis.messaging.events import stem
from chassis.messaging.kafka import Record
from chassis.messaging.parked_events import redact
from ops.events.topic_reader import open_topics
from ops.local.operator_client import (
    Operator,
    escape_markup,
    require_running,
    run_as_operator,
    select_services,
)

_SHOWN_HEADERS = frozenset(
    {
        "ce_type",
        "ce_source",
        "ce_specversion",
        "ce_time",
        "content-type",
        "traceparent",
        "ce_facilityid",
        "ce_actorrole",
    }
)  # written by code, never by people


def print_events(
    service: str | None,
    key: str | None,
    kind: str | None,
    count: int,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the last records (of one key, of one type), then follow when asked; 0."""

    async def topics(operator: Operator) -> list[str]:
        return [
            (await operator.request(one, "GET", "/topic"))["topic"]
            for one in select_services(service)
        ]

    wanted = run_as_operator(topics)
    try:
        asyncio.run(_read_and_print(wanted, key, kind, count, follow=follow, as_json=as_json))
    except KeyboardInterrupt:
        return 0
    return 0


async def _read_and_print(
    topics: list[str], key: str | None, kind: str | None, count: int, *, follow: bool, as_json: bool
) -> None:
    require_running()
    console = Console(highlight=False, soft_wrap=True)
    narrowed = key is not None or kind is not None
    async with open_topics(*topics) as opened:
        kept: list[dict[str, Any]] = []
        async for records in opened.read_to_end(None if narrowed else count):
            kept = sorted(
                (*kept, *_filter_records(records, key, kind)), key=lambda line: line["time"]
            )[-count:]
        _print_lines(kept if count else [], console, as_json=as_json)
        while follow:
            _print_lines(
                _filter_records(await opened.read_next(), key, kind), console, as_json=as_json
            )


def _filter_records(
    records: Iterable[Record], key: str | None, kind: str | None
) -> Iterator[dict[str, Any]]:
    for record in records:
        line = describe_record(record)
        if (key is None or line["key"] == key) and (
            kind is None or kind in {line["type"], stem(line["type"])}
        ):
            yield line


def describe_record(record: Record) -> dict[str, Any]:
    """A record by stable names; values that could be a text are hidden, in its headers and in its body."""
    headers = {
        name: (value or b"").decode(errors="replace") for name, value in record.headers
    }  # a header may have no value
    try:
        body: object = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        body = None
    return {
        "time": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(
            timespec="milliseconds"
        ),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": (record.key or b"").decode(errors="replace"),
        "type": headers.get("ce_type", ""),
        "id": headers.get("ce_id", ""),
        "sequence": headers.get("ce_sequence", ""),
        "headers": dict(redact("", headers))
        | {name: value for name, value in headers.items() if name in _SHOWN_HEADERS},
        "body": dict(redact(headers.get("ce_type", ""), cast("dict[str, Any]", body)))
        if isinstance(body, dict)
        else None,
    }


def _print_lines(lines: Iterable[dict[str, Any]], console: Console, *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            body = (
                "tidak dapat dibaca"
                if line["body"] is None
                else " ".join(f"{name}={value}" for name, value in line["body"].items())
            )
            console.print(
                f"{line['time'][11:23]} {escape_markup(line['type'] or '(tanpa jenis)')} {escape_markup(line['key'])} #{escape_markup(line['sequence'])} {escape_markup(body)}"
            )
    sys.stdout.flush()
