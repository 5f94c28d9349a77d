"""The commands `events parked ...`: list parked sequences, show, retry and discard events.

Not here: the operator API of a service (chassis.admin).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ops.errors import OperatorError
from ops.json_output import print_json
from ops.language import choose
from ops.local.operator_client import (
    NOT_FOUND,
    PRECONDITION_FAILED,
    OperationRefused,
    Operator,
    escape_markup,
    find_sequence,
    printable,
    run_as_operator,
    select_services,
)
from ops.text_output import print_text

_MAX_ATTEMPTS = 5
_EMPTY_SEQUENCE = {
    "topic": "",
    "count": 0,
    "key": "",
    "reason": "",
    "what": "",
    "todo": "",
}


def list_sequences(service: str | None, *, as_json: bool) -> int:
    """Print every parked sequence, with the reason and what to do; return 0."""

    async def list_all(operator: Operator) -> list[dict[str, Any]]:
        sequences: list[dict[str, Any]] = []
        for name in select_services(service):
            listed = await operator.list_all(name, "/parked")
            sequences += [{"service": name} | item for item in listed]
        return sequences

    sequences = run_as_operator(list_all)
    if as_json:
        print_json({"sequences": sequences})
        return 0
    console = Console(highlight=False)
    if not sequences:
        print_text(choose("Tidak ada yang tertahan.", "Nothing is parked."))
    for item in sequences:
        since = _format_time(item["since"])
        count = item["count"]
        _print_title(console, item)
        print_text(choose(f"  {count} peristiwa sejak {since}", f"  {count} events since {since}"))
        _print_reason(console, item)
        # On two lines, because a sequence has up to 76 characters.
        command = f"./bina events parked show --service {item['service']} \\"
        console.print(f"  {command}", style="dim", markup=False, soft_wrap=True)
        console.print(f"    {item['sequence']}", style="dim", markup=False, soft_wrap=True)
    return 0


def show_sequence(sequence: str, service: str | None, *, as_json: bool) -> int:
    """Print one sequence and its first parked events, bodies redacted; return 0."""

    async def read(operator: Operator) -> dict[str, Any]:
        name, segment = await find_sequence(operator, sequence, service)
        return {"service": name} | await operator.request(name, "GET", f"/parked/{segment}")

    shown = run_as_operator(read)
    if as_json:
        print_json(shown)
        return 0
    console = Console(highlight=False)
    count = shown["count"]
    version = shown["version"]
    _print_title(console, shown)
    print_text(
        choose(f"  {count} peristiwa, versi {version}", f"  {count} events, version {version}")
    )
    for event in shown["letters"]:
        _print_event(console, event)
    remaining = count - len(shown["letters"])
    if remaining > 0:
        more = choose(f"... dan {remaining} peristiwa lagi.", f"... and {remaining} more events.")
        print_text(f"\n{more}")
    return 0


def _print_event(console: Console, event: dict[str, Any]) -> None:
    kind = escape_markup(event["type"] or choose("(tanpa jenis)", "(no type)"))
    console.print(f"\n[bold]{kind}[/]", soft_wrap=True)
    console.print(f"  {escape_markup(event['id'])}", soft_wrap=True)
    _print_reason(console, event)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, value in event["body"].items():
        table.add_row(escape_markup(name), escape_markup(str(value)), style="dim")
    console.print(table)


def retry_sequences(
    sequences: Sequence[str], service: str | None, *, is_all: bool, dry_run: bool, as_json: bool
) -> int:
    """Retry sequences; return 0 when no event of them is parked any more, else 1."""
    if bool(sequences) == is_all:
        raise OperatorError(
            "Sebutkan urutannya, atau --all untuk semua.",
            "Name the sequences, or use --all for all of them.",
        )

    async def retry(operator: Operator) -> list[dict[str, Any]]:
        chosen = await _select_sequences(operator, sequences, service)
        results: list[dict[str, Any]] = []
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            description = choose("Mengulangi urutan", "Retrying sequences")
            for name, segment in progress.track(chosen, description=description):
                result = await _retry_sequence(operator, name, segment, progress, dry_run=dry_run)
                results.append({"service": name} | result)
        return results

    results = run_as_operator(retry)
    if as_json:
        took_effect = sum(result["took_effect"] for result in results)
        print_json({"sequences": results, "took_effect": took_effect, "dry_run": dry_run})
    else:
        _print_retries(results, dry_run=dry_run)
    return 1 if any(result["count"] for result in results) else 0


def _print_retries(results: list[dict[str, Any]], *, dry_run: bool) -> None:
    console = Console(highlight=False)
    effect = choose("berlaku", "took effect")
    if dry_run:
        effect = choose("akan berlaku", "would take effect")
    still_parked = choose("masih tertahan", "still parked")
    for result in results:
        _print_title(console, result)
        print_text(f"  {result['took_effect']} {effect}, {result['count']} {still_parked}")
        _print_reason(console, result)


async def _select_sequences(
    operator: Operator, sequences: Sequence[str], service: str | None
) -> list[tuple[str, str]]:
    """Return the named sequences, or all if none is named, as (service, path segment)."""
    if sequences:
        found = [await find_sequence(operator, sequence, service) for sequence in sequences]
        return list(dict.fromkeys(found))
    chosen: list[tuple[str, str]] = []
    for name in select_services(service):
        listed = await operator.list_all(name, "/parked")
        chosen += [(name, item["sequence"]) for item in listed]
    return chosen


def discard_event(
    sequence: str,
    service: str | None,
    event_id: str | None,
    reason: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Discard one event of a sequence, the first unless it is named; return 0."""

    async def discard(operator: Operator) -> dict[str, Any]:
        name, segment = await find_sequence(operator, sequence, service)
        for _ in range(_MAX_ATTEMPTS):
            seen = await operator.request(name, "GET", f"/parked/{segment}?limit=1")
            chosen = event_id or seen["letters"][0]["id"]
            path = f"/parked/{segment}/discard{_dry_run_query(dry_run)}"
            body = {"event_id": chosen, "reason": reason}
            version = f'"{seen["version"]}"'
            try:
                after = await operator.request(name, "POST", path, body, if_match=version)
            except OperationRefused as refusal:
                if refusal.status != PRECONDITION_FAILED:
                    raise
                continue
            facts = {"key": seen["key"], "event_id": chosen, "dry_run": dry_run}
            return {"service": name} | after | facts
        raise OperatorError(
            "Urutan ini terus bertambah; coba lagi sebentar lagi.",
            "The sequence keeps growing; try again in a moment.",
        )

    result = run_as_operator(discard)
    if as_json:
        print_json(result)
        return 0
    verb = choose("Dibuang", "Discarded")
    if dry_run:
        verb = choose("Akan dibuang", "Would be discarded")
    print_text(f"{verb}: {printable(result['event_id'])}")
    print_text(f"{choose('Masih tertahan', 'Still parked')}: {result['count']}")
    if result["count"] and not dry_run:
        command = f"./bina events parked retry --service {result['service']} \\"
        print_text(choose("Agar yang tersisa berlaku:", "To apply the others:"))
        print_text(f"  {command}\n    {result['sequence']}")
    return 0


async def _retry_sequence(
    operator: Operator, service: str, segment: str, progress: Progress, *, dry_run: bool
) -> dict[str, Any]:
    """Retry one sequence until it is empty or an event fails.

    New events change its version, which is then read again. Another operator may have emptied it
    meanwhile (404).
    """
    took_effect = 0
    result: dict[str, Any] = {"sequence": segment} | _EMPTY_SEQUENCE
    try:
        seen = await operator.request(service, "GET", f"/parked/{segment}?limit=1")
        about = {"topic": seen["topic"], "key": seen["key"]}
        result |= about
        bar = progress.add_task(seen["key"], total=seen["count"])
        version = seen["version"]
        has_more = True
        while has_more:
            after = await _retry_once(operator, service, segment, version, dry_run=dry_run)
            took_effect += after["took_effect"] or 0
            progress.update(bar, completed=took_effect)
            version = after["version"]
            has_more = after["more"] and not dry_run
            result = after | about
    except OperationRefused as refusal:
        if refusal.status != NOT_FOUND:
            raise
    return result | {"took_effect": took_effect, "dry_run": dry_run}


async def _retry_once(
    operator: Operator, service: str, segment: str, version: int, *, dry_run: bool
) -> dict[str, Any]:
    """Request one round of retries; read the version again when it has changed."""
    path = f"/parked/{segment}/retry{_dry_run_query(dry_run)}"
    for attempt in range(_MAX_ATTEMPTS + 1):
        try:
            return await operator.request(service, "POST", path, if_match=f'"{version}"')
        except OperationRefused as refusal:
            if refusal.status != PRECONDITION_FAILED or attempt == _MAX_ATTEMPTS:
                raise
        seen = await operator.request(service, "GET", f"/parked/{segment}?limit=1")
        version = seen["version"]
    raise AssertionError("the last attempt returns or raises")


def _dry_run_query(dry_run: bool) -> str:  # noqa: FBT001 - the only thing that it says
    return "?dry_run=true" if dry_run else ""


def _print_title(console: Console, item: dict[str, Any]) -> None:
    topic = escape_markup(item["topic"] or "")
    key = escape_markup(item["key"] or "")
    console.print(f"[bold]{item['service']}[/] {topic} {key}".rstrip(), soft_wrap=True)


def _print_reason(console: Console, item: dict[str, Any]) -> None:
    if not item["what"]:
        return
    for sentence in (item["what"], item["todo"]):
        print_text(f"  {printable(sentence)}")
    console.print(f"  ({escape_markup(item['reason'])})", style="dim", soft_wrap=True)


def _format_time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%d-%m-%Y %H:%M}"
