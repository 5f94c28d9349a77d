"""The commands `events parked ...`: what waits for a person, tried again or given up. Not here: how the service does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ops.errors import OperatorError
from ops.json_output import print_json
from ops.local.operator_client import (
    NOT_FOUND,
    PRECONDITION_FAILED,
    OperationRefused,
    Operator,
    escape_markup,
    find_sequence,
    run_as_operator,
    select_services,
)

_MAX_ATTEMPTS = 5


def list_sequences(service: str | None, *, as_json: bool) -> int:
    """Every sequence that waits, with what failed and what to do; 0."""

    async def every(operator: Operator) -> list[dict[str, Any]]:
        return [
            {"service": one} | item
            for one in select_services(service)
            for item in await operator.list_all(one, "/parked")
        ]

    sequences = run_as_operator(every)
    if as_json:
        print_json({"sequences": sequences})
        return 0
    console = Console(highlight=False)
    if not sequences:
        console.print("Tidak ada yang tertahan.")
    for item in sequences:
        console.print(
            f"[bold]{item['service']}[/] {escape_markup(item['topic'])} {escape_markup(item['key'])}: {item['count']} peristiwa sejak {_format_time(item['since'])}"
        )
        _print_reason(console, item)
        console.print(
            f"  ./bina events parked show --service {item['service']} {item['sequence']}",
            style="dim",
            soft_wrap=True,
        )
    return 0


def show_sequence(sequence: str, service: str | None, *, as_json: bool) -> int:
    """One sequence and its first letters, bodies redacted; 0."""

    async def look(operator: Operator) -> dict[str, Any]:
        where, named = await find_sequence(operator, sequence, service)
        return {"service": where} | await operator.request(where, "GET", f"/parked/{named}")

    shown = run_as_operator(look)
    if as_json:
        print_json(shown)
        return 0
    console = Console(highlight=False)
    console.print(
        f"[bold]{shown['service']}[/] {escape_markup(shown['topic'])} {escape_markup(shown['key'])}: {shown['count']} peristiwa, versi {shown['version']}"
    )
    for letter in shown["letters"]:
        console.print(
            f"\n[bold]{escape_markup(letter['type'] or '(tanpa jenis)')}[/] {escape_markup(letter['id'])}",
            soft_wrap=True,
        )
        _print_reason(console, letter)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        for name, value in letter["body"].items():
            table.add_row(escape_markup(name), escape_markup(str(value)), style="dim")
        console.print(table)
    if (left := shown["count"] - len(shown["letters"])) > 0:
        console.print(f"\n... dan {left} peristiwa lagi.")
    return 0


def retry_sequences(
    sequences: Sequence[str], service: str | None, *, is_all: bool, dry_run: bool, as_json: bool
) -> int:
    """Handle sequences again; 0 when nothing of them waits any more, else 1."""
    if bool(sequences) == is_all:
        raise OperatorError(
            "Sebutkan urutannya, atau --all untuk semua.", "Name the sequences, or --all of them."
        )

    async def again(operator: Operator) -> list[dict[str, Any]]:
        if is_all:
            wanted = [
                (one, item["sequence"])
                for one in select_services(service)
                for item in await operator.list_all(one, "/parked")
            ]
        else:
            wanted = list(
                dict.fromkeys(
                    [await find_sequence(operator, sequence, service) for sequence in sequences]
                )
            )
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            return [
                {"service": where}
                | await _retry_sequence(operator, where, named, progress, dry_run=dry_run)
                for where, named in progress.track(wanted, description="Mengulangi urutan")
            ]

    done = run_as_operator(again)
    if as_json:
        print_json(
            {
                "sequences": done,
                "took_effect": sum(one["took_effect"] for one in done),
                "dry_run": dry_run,
            }
        )
    else:
        console = Console(highlight=False)
        for one in done:
            console.print(
                f"[bold]{one['service']}[/] {escape_markup(one['key'] or '')}: {one['took_effect']} {'akan ' if dry_run else ''}berlaku, {one['count']} masih tertahan"
            )
            _print_reason(console, one)
    return 1 if any(one["count"] for one in done) else 0


def discard_event(
    sequence: str,
    service: str | None,
    event_id: str | None,
    reason: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Give up one letter (the first, unless it is named) for ever; 0."""

    async def give_up(operator: Operator) -> dict[str, Any]:
        where, named = await find_sequence(operator, sequence, service)
        for _ in range(_MAX_ATTEMPTS):
            seen = await operator.request(where, "GET", f"/parked/{named}?limit=1")
            chosen = event_id or seen["letters"][0]["id"]
            try:
                after = await operator.request(
                    where,
                    "POST",
                    f"/parked/{named}/discard{_dry_run_query(dry_run)}",
                    {"event_id": chosen, "reason": reason},
                    if_match=f'"{seen["version"]}"',
                )
            except OperationRefused as refusal:
                if refusal.status != PRECONDITION_FAILED:
                    raise
            else:
                return (
                    {"service": where}
                    | after
                    | {"key": seen["key"], "event_id": chosen, "dry_run": dry_run}
                )
        raise OperatorError(
            "Urutan ini terus bertambah; coba lagi sebentar lagi.",
            "The sequence keeps growing; try again in a while.",
        )

    done = run_as_operator(give_up)
    if as_json:
        print_json(done)
        return 0
    console = Console(highlight=False)
    console.print(
        f"{'Akan dibuang' if dry_run else 'Dibuang'}: {escape_markup(done['event_id'])}. Masih tertahan: {done['count']}.",
        soft_wrap=True,
    )
    if done["count"] and not dry_run:
        console.print(
            f"Agar yang tersisa berlaku: ./bina events parked retry --service {done['service']} {done['sequence']}",
            soft_wrap=True,
        )
    return 0


async def _retry_sequence(
    operator: Operator, service: str, segment: str, progress: Progress, *, dry_run: bool
) -> dict[str, Any]:
    """Retry one sequence until it is empty or a letter fails. Letters that join it meanwhile change its version: look again. Somebody else may have emptied it."""
    took = changed = 0
    last: dict[str, Any] = {"sequence": segment, "topic": "", "count": 0} | dict.fromkeys(
        ("key", "reason", "what", "todo", "english"), ""
    )
    try:
        seen = await operator.request(service, "GET", f"/parked/{segment}?limit=1")
        bar, version = progress.add_task(seen["key"], total=seen["count"]), seen["version"]
        last |= {"topic": seen["topic"], "key": seen["key"]}
        while True:
            try:
                after = await operator.request(
                    service,
                    "POST",
                    f"/parked/{segment}/retry{_dry_run_query(dry_run)}",
                    if_match=f'"{version}"',
                )
            except OperationRefused as refusal:
                changed += 1
                if refusal.status != PRECONDITION_FAILED or changed > _MAX_ATTEMPTS:
                    raise
                version = (await operator.request(service, "GET", f"/parked/{segment}?limit=1"))[
                    "version"
                ]
                continue
            took += after["took_effect"] or 0
            progress.update(bar, completed=took)
            if dry_run or not after["more"]:
                last = after | {"key": seen["key"], "topic": seen["topic"]}
                break
            version = after["version"]
    except OperationRefused as refusal:
        if refusal.status != NOT_FOUND:
            raise
    return last | {"took_effect": took, "dry_run": dry_run}


def _dry_run_query(dry_run: bool) -> str:  # noqa: FBT001 - the one thing it says
    return "?dry_run=true" if dry_run else ""


def _print_reason(console: Console, item: dict[str, Any]) -> None:
    if item["what"]:
        console.print(
            f"  {escape_markup(item['what'])} [dim]({escape_markup(item['reason'])})[/]\n  {escape_markup(item['todo'])}\n  [dim]{escape_markup(item['english'])}[/]",
            soft_wrap=True,
        )


def _format_time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%d-%m-%Y %H:%M}"
