"""The command `demo`: plays the steps on the running system. Not here: the steps."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from rich.console import Console

from ops.demo import STEPS, DemoContext, DemoStep
from ops.local import topology
from ops.local.gateway_client import GatewayClient, UnexpectedAnswer

_STEP_ERRORS = (UnexpectedAnswer, TimeoutError, aiohttp.ClientError, KeyError, ValueError)
_MAX_FACTS = 400


def run_demo(*, as_json: bool) -> int:
    """Play all steps; return 0 only if every step succeeded."""
    console = Console(stderr=as_json, highlight=False)
    report = asyncio.run(_play_steps(console))
    if as_json:
        json.dump(report, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _print_summary(console, report)
    succeeded = [step for step in report["steps"] if step["ok"]]
    return 0 if len(succeeded) == len(STEPS) else 1


async def _play_steps(console: Console) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    async with GatewayClient() as client:
        context = DemoContext(client)
        for number, (name, sentence, event, step) in enumerate(STEPS, 1):
            began = time.monotonic()
            facts, problem = await _play_step(step, context)
            seconds = time.monotonic() - began
            mark = "[red]✗[/]" if problem else "[green]✓[/]"
            arrow = f"  →  {event}" if event else ""
            console.print(f"{mark} {number:2}. {sentence} [dim]{seconds:.1f} dtk[/]")
            console.print(f"      [dim]{problem or _format_facts(facts)}{arrow}[/]", markup=True)
            if problem:
                facts = facts | {"problem": problem}
            steps.append({"name": name, "ok": not problem, "facts": facts, "event": event})
            if problem:
                break
    return {
        "steps": steps,
        "certificate": context.certificate,
        "certificate_url": context.certificate.get("local_url", ""),
        "books": context.books,
        "split": context.split,
        "refused": context.refusals,
    }


async def _play_step(step: DemoStep, context: DemoContext) -> tuple[dict[str, Any], str]:
    """Return the facts of a step, and the problem that stopped it ("" = none)."""
    try:
        return await step(context), ""
    except _STEP_ERRORS as error:
        return {}, f"{type(error).__name__}: {error}"


def _format_facts(facts: dict[str, Any]) -> str:
    shown = {name: value for name, value in facts.items() if value not in (None, [], "")}
    text = ", ".join(f"{name}: {value}" for name, value in shown.items())
    return _escape(text)[:_MAX_FACTS]


def _print_summary(console: Console, report: dict[str, Any]) -> None:
    failed = [step for step in report["steps"] if not step["ok"]]
    if failed:
        console.print(f"\n[red]Berhenti pada langkah {failed[0]['name']}.[/] Lihat ./bina logs.")
        return
    count = len(report["steps"])
    console.print(f"\nSemua {count} langkah berhasil. Yang ditolak sebagaimana mestinya:")
    for refusal in report["refused"]:
        title = refusal.get("title", "")
        console.print(_escape(f"  - {refusal['what']}: {refusal['answer']} {title}"))
    shares = ", ".join(f"{party} {_rupiah(amount)}" for party, amount in report["split"].items())
    console.print(f"Pembagian satu pesanan: {shares}")
    books = report["books"]
    console.print(f"Buku: debit {_rupiah(books['debit'])} = kredit {_rupiah(books['credit'])}")
    console.print(f"Periksa sertifikatnya: {report['certificate_url']}")
    addresses = topology.gateway_addresses()
    console.print(
        f"Antarmuka petugas {addresses['staff']}/docs, toko {addresses['shop']}/docs, "
        f"mitra {addresses['partner']}/docs"
    )


def _rupiah(amount: int) -> str:
    return f"Rp {amount:,}".replace(",", ".")


def _escape(text: str) -> str:
    """Keep brackets from being read as markup."""
    return text.replace("[", "\\[")
