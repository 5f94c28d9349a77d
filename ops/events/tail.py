"""The command `events tail`: records of the topics, with bodies redacted by rule.

Not here: how a topic is read (topic_reader).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

from rich.console import Console
from rich.padding import Padding

from chassis.messaging.events import stem
from chassis.messaging.kafka_ports import Record
from chassis.messaging.parked_events import redact
from ops.events.topic_reader import open_topics
from ops.language import choose
from ops.local.operator_client import (
    Operator,
    escape_markup,
    require_running,
    run_as_operator,
    select_services,
)

# Headers whose values our code makes; they contain no text of people.
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
)


def print_events(
    service: str | None,
    key: str | None,
    kind: str | None,
    count: int,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the last records, of one key or one type if given; with `follow`, new ones too."""

    async def topics(operator: Operator) -> list[str]:
        names = select_services(service)
        answers = [await operator.request(name, "GET", "/topic") for name in names]
        return [answer["topic"] for answer in answers]

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
    is_filtered = key is not None or kind is not None
    async with open_topics(*topics) as reader:
        last: list[dict[str, Any]] = []
        async for records in reader.read_to_end(None if is_filtered else count):
            lines = [*last, *_filter_records(records, key, kind)]
            last = sorted(lines, key=lambda line: line["time"])[-count:]
        _print_lines(last if count else [], console, as_json=as_json)
        while follow:
            following = _filter_records(await reader.read_next(), key, kind)
            _print_lines(following, console, as_json=as_json)


def _filter_records(
    records: Iterable[Record], key: str | None, kind: str | None
) -> Iterator[dict[str, Any]]:
    for record in records:
        line = describe_record(record)
        has_key = key is None or line["key"] == key
        has_type = kind is None or kind in {line["type"], stem(line["type"])}
        if has_key and has_type:
            yield line


def describe_record(record: Record) -> dict[str, Any]:
    """Return a record as the document of `tail --json`; texts in it are redacted."""
    # A header may have no value.
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
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
            _print_record(line, console)
    sys.stdout.flush()


def _print_record(line: dict[str, Any], console: Console) -> None:
    """Print one line for a file. At a terminal the key and the fields are indented below."""
    fields = line["body"]
    body = choose("(tidak dapat dibaca)", "(unreadable)")
    if fields is not None:
        body = " ".join(f"{name}={value}" for name, value in fields.items())
    kind = escape_markup(line["type"] or choose("(tanpa jenis)", "(no type)"))
    key = escape_markup(line["key"])
    time_of_day = line["time"][11:23]
    if console.is_terminal:
        console.print(f"{time_of_day} {kind} #{line['sequence']}", soft_wrap=True)
        below = Padding(f"{key} [dim]{escape_markup(body)}[/]", (0, 0, 0, 2))
        console.print(below, soft_wrap=False)
    else:
        console.print(f"{time_of_day} {kind} {key} #{line['sequence']} {escape_markup(body)}")
