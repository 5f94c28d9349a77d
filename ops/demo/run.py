"""The command `demo`: runs the steps on the running system and prints the results.

Not here: the steps.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.demo import STEPS, DemoContext, DemoStep
from ops.demo.context import Refusal
from ops.demo.report import format_facts, rupiah
from ops.language import choose
from ops.local import topology
from ops.local.gateway_client import GatewayClient, UnexpectedAnswer
from ops.text_output import print_text

_STEP_ERRORS = (UnexpectedAnswer, TimeoutError, aiohttp.ClientError, KeyError, ValueError)
_INDENT = 6


def run_demo(*, as_json: bool) -> int:
    """Run all steps; return 0 only if every step succeeded."""
    console = Console(stderr=as_json, highlight=False)
    report, refusals = asyncio.run(_play_steps(console))
    if as_json:
        json.dump(report, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _print_summary(console, report, refusals)
    succeeded = [step for step in report["steps"] if step["ok"]]
    return 0 if len(succeeded) == len(STEPS) else 1


async def _play_steps(console: Console) -> tuple[dict[str, Any], list[Refusal]]:
    """Run the steps until one fails; return the document of `demo --json`, and the refusals."""
    steps: list[dict[str, Any]] = []
    async with GatewayClient() as client:
        context = DemoContext(client)
        for number, (name, sentence, event, step) in enumerate(STEPS, 1):
            began = time.monotonic()
            facts, problem = await _play_step(step, context)
            seconds = time.monotonic() - began
            mark = "[red]✗[/]" if problem else "[green]✓[/]"
            unit = choose("dtk", "s")
            _print_indented(
                console, f"{mark} {number:2}.", f"{sentence} [dim]{seconds:.1f} {unit}[/]"
            )
            for line in [problem] if problem else format_facts(facts):
                _print_indented(console, "", f"[dim]{escape(line)}[/]")
            if event:
                _print_indented(console, "", f"[dim]→ {event}[/]")
            if problem:
                facts = facts | {"problem": problem}
            steps.append({"name": name, "ok": not problem, "facts": facts, "event": event})
            if problem:
                break
    report = {
        "steps": steps,
        "certificate": context.certificate,
        "certificate_url": context.certificate.get("local_url", ""),
        "books": context.books,
        "split": context.split,
        "refused": [
            {"what": refusal.attempt.indonesian, "answer": refusal.answer, **refusal.facts}
            for refusal in context.refusals
        ],
    }
    return report, context.refusals


def _print_indented(console: Console, mark: str, text: str) -> None:
    """Print a text beside its mark; at a terminal its further lines are indented."""
    if not console.is_terminal:
        start = f"{mark} " if mark else " " * _INDENT
        console.print(f"{start}{text}", soft_wrap=True)
        return
    table = Table.grid(padding=0)
    table.add_column(width=_INDENT)
    table.add_column()
    table.add_row(mark, text)
    console.print(table)


async def _play_step(step: DemoStep, context: DemoContext) -> tuple[dict[str, Any], str]:
    """Return the facts of a step, and the problem that stopped it ("" = none)."""
    try:
        return await step(context), ""
    except _STEP_ERRORS as error:
        return {}, f"{type(error).__name__}: {error}"


def _print_summary(console: Console, report: dict[str, Any], refusals: list[Refusal]) -> None:
    failed = [step for step in report["steps"] if not step["ok"]]
    if failed:
        stopped = choose("Berhenti pada langkah", "Stopped at the step")
        see = choose("Lihat", "See")
        console.print(f"\n[red]{stopped} {failed[0]['name']}.[/] {see} ./bina logs.")
        return
    count = len(report["steps"])
    print_text("")
    print_text(
        choose(
            f"Semua {count} langkah berhasil. Yang ditolak sebagaimana mestinya:",
            f"All {count} steps succeeded. Refused as it should be:",
        )
    )
    for refusal in refusals:
        title = str(refusal.facts.get("title", ""))
        print_text(f"  - {refusal.attempt}: {refusal.answer} {title}".rstrip())
    [shares] = format_facts({"split": report["split"]})
    print_text(f"{choose('Satu pesanan', 'One order')}, {shares}")
    debit = rupiah(report["books"]["debit"])
    credit = rupiah(report["books"]["credit"])
    print_text(
        choose(f"Buku: debit {debit} = kredit {credit}", f"Books: debit {debit} = credit {credit}")
    )
    check = choose("Periksa sertifikatnya", "Check the certificate")
    print_text(f"{check}: {report['certificate_url']}")
    addresses = topology.gateway_addresses()
    print_text(f"{choose('Antarmuka petugas', 'API for staff')}: {addresses['staff']}/docs")
    print_text(f"{choose('Toko', 'Shop')}: {addresses['shop']}/docs")
    print_text(f"{choose('Mitra', 'Partners')}: {addresses['partner']}/docs")
