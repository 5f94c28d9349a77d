"""The commands `events parked ...`: what waits for a person, tried again or given up. Not here: how the service does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ops.errors import Trouble
from ops.json_output import tell
from ops.local.operator_client import (
    CHANGED,
    UNKNOWN,
    Operator,
    Refusal,
    found,
    operate,
    plain,
    services,
)

_TRIES = 5


def listed(service: str | None, *, as_json: bool) -> int:
    """Every sequence that waits, with what failed and what to do; 0."""

    async def every(operator: Operator) -> list[dict[str, Any]]:
        return [
            {"service": one} | item
            for one in services(service)
            for item in await operator.every(one, "/parked")
        ]

    sequences = operate(every)
    if as_json:
        tell({"sequences": sequences})
        return 0
    console = Console(highlight=False)
    if not sequences:
        console.print("Tidak ada yang tertahan.")
    for item in sequences:
        console.print(
            f"[bold]{item['service']}[/] {plain(item['topic'])} {plain(item['key'])}: {item['count']} peristiwa sejak {_when(item['since'])}"
        )
        _why(console, item)
        console.print(
            f"  ./bina events parked show --service {item['service']} {item['sequence']}",
            style="dim",
            soft_wrap=True,
        )
    return 0


def show(sequence: str, service: str | None, *, as_json: bool) -> int:
    """One sequence and its first letters, bodies redacted; 0."""

    async def look(operator: Operator) -> dict[str, Any]:
        where, named = await found(operator, sequence, service)
        return {"service": where} | await operator.ask(where, "GET", f"/parked/{named}")

    shown = operate(look)
    if as_json:
        tell(shown)
        return 0
    console = Console(highlight=False)
    console.print(
        f"[bold]{shown['service']}[/] {plain(shown['topic'])} {plain(shown['key'])}: {shown['count']} peristiwa, versi {shown['version']}"
    )
    for letter in shown["letters"]:
        console.print(
            f"\n[bold]{plain(letter['type'] or '(tanpa jenis)')}[/] {plain(letter['id'])}",
            soft_wrap=True,
        )
        _why(console, letter)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        for name, value in letter["body"].items():
            table.add_row(plain(name), plain(str(value)), style="dim")
        console.print(table)
    if (left := shown["count"] - len(shown["letters"])) > 0:
        console.print(f"\n... dan {left} peristiwa lagi.")
    return 0


def retry(
    sequences: Sequence[str], service: str | None, *, every: bool, dry_run: bool, as_json: bool
) -> int:
    """Handle sequences again; 0 when nothing of them waits any more, else 1."""
    if bool(sequences) == every:
        raise Trouble(
            "Sebutkan urutannya, atau --all untuk semua.", "Name the sequences, or --all of them."
        )

    async def again(operator: Operator) -> list[dict[str, Any]]:
        if every:
            wanted = [
                (one, item["sequence"])
                for one in services(service)
                for item in await operator.every(one, "/parked")
            ]
        else:
            wanted = list(
                dict.fromkeys([await found(operator, sequence, service) for sequence in sequences])
            )
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            return [
                {"service": where}
                | await _retried(operator, where, named, progress, dry_run=dry_run)
                for where, named in progress.track(wanted, description="Mengulangi urutan")
            ]

    done = operate(again)
    if as_json:
        tell(
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
                f"[bold]{one['service']}[/] {plain(one['key'] or '')}: {one['took_effect']} {'akan ' if dry_run else ''}berlaku, {one['count']} masih tertahan"
            )
            _why(console, one)
    return 1 if any(one["count"] for one in done) else 0


def discard(
    sequence: str,
    service: str | None,
    letter: str | None,
    reason: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Give up one letter (the first, unless it is named) for ever; 0."""

    async def give_up(operator: Operator) -> dict[str, Any]:
        where, named = await found(operator, sequence, service)
        for _ in range(_TRIES):
            seen = await operator.ask(where, "GET", f"/parked/{named}?limit=1")
            chosen = letter or seen["letters"][0]["id"]
            try:
                after = await operator.ask(
                    where,
                    "POST",
                    f"/parked/{named}/discard{_query(dry_run)}",
                    {"letter": chosen, "reason": reason},
                    if_match=f'"{seen["version"]}"',
                )
            except Refusal as refusal:
                if refusal.status != CHANGED:
                    raise
            else:
                return (
                    {"service": where}
                    | after
                    | {"key": seen["key"], "letter": chosen, "dry_run": dry_run}
                )
        raise Trouble(
            "Urutan ini terus bertambah; coba lagi sebentar lagi.",
            "The sequence keeps growing; try again in a while.",
        )

    done = operate(give_up)
    if as_json:
        tell(done)
        return 0
    console = Console(highlight=False)
    console.print(
        f"{'Akan dibuang' if dry_run else 'Dibuang'}: {plain(done['letter'])}. Masih tertahan: {done['count']}.",
        soft_wrap=True,
    )
    if done["count"] and not dry_run:
        console.print(
            f"Agar yang tersisa berlaku: ./bina events parked retry --service {done['service']} {done['sequence']}",
            soft_wrap=True,
        )
    return 0


async def _retried(
    operator: Operator, where: str, named: str, progress: Progress, *, dry_run: bool
) -> dict[str, Any]:
    """Retry one sequence until it is empty or a letter fails. Letters that join it meanwhile change its version: look again. Somebody else may have emptied it."""
    took = changed = 0
    last: dict[str, Any] = {"sequence": named, "topic": "", "count": 0} | dict.fromkeys(
        ("key", "reason", "what", "todo", "english"), ""
    )
    try:
        seen = await operator.ask(where, "GET", f"/parked/{named}?limit=1")
        bar, version = progress.add_task(seen["key"], total=seen["count"]), seen["version"]
        last |= {"topic": seen["topic"], "key": seen["key"]}
        while True:
            try:
                after = await operator.ask(
                    where,
                    "POST",
                    f"/parked/{named}/retry{_query(dry_run)}",
                    if_match=f'"{version}"',
                )
            except Refusal as refusal:
                changed += 1
                if refusal.status != CHANGED or changed > _TRIES:
                    raise
                version = (await operator.ask(where, "GET", f"/parked/{named}?limit=1"))["version"]
                continue
            took += after["took_effect"] or 0
            progress.update(bar, completed=took)
            if dry_run or not after["more"]:
                last = after | {"key": seen["key"], "topic": seen["topic"]}
                break
            version = after["version"]
    except Refusal as refusal:
        if refusal.status != UNKNOWN:
            raise
    return last | {"took_effect": took, "dry_run": dry_run}


def _query(dry_run: bool) -> str:  # noqa: FBT001 - the one thing it says
    return "?dry_run=true" if dry_run else ""


def _why(console: Console, told: dict[str, Any]) -> None:
    if told["what"]:
        console.print(
            f"  {plain(told['what'])} [dim]({plain(told['reason'])})[/]\n  {plain(told['todo'])}\n  [dim]{plain(told['english'])}[/]",
            soft_wrap=True,
        )


def _when(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%d-%m-%Y %H:%M}"
