"""The command `demo`: plays the story on the running system and shows each step. Not here: the story."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from rich.console import Console

from ops.demo import STEPS, DemoContext
from ops.local import topology
from ops.local.gateway_client import GatewayClient, UnexpectedAnswer


def run_demo(*, as_json: bool) -> int:
    """Play it; 0 only when every step is as it should be."""
    console = Console(stderr=as_json, highlight=False)
    report = asyncio.run(_play_steps(console))
    if as_json:
        json.dump(report, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _print_summary(console, report)
    return (
        0
        if all(step["ok"] for step in report["steps"]) and len(report["steps"]) == len(STEPS)
        else 1
    )


async def _play_steps(console: Console) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    async with GatewayClient() as door:
        story = DemoContext(door)
        for number, (name, sentence, event, step) in enumerate(STEPS, 1):
            began = time.monotonic()
            try:
                facts, problem = await step(story), ""
            except (
                UnexpectedAnswer,
                TimeoutError,
                aiohttp.ClientError,
                KeyError,
                ValueError,
            ) as error:
                facts, problem = {}, f"{type(error).__name__}: {error}"
            steps.append(
                {
                    "name": name,
                    "ok": not problem,
                    "facts": facts | ({"problem": problem} if problem else {}),
                    "event": event,
                }
            )
            mark = "[green]✓[/]" if not problem else "[red]✗[/]"
            console.print(
                f"{mark} {number:2}. {sentence} [dim]{time.monotonic() - began:.1f} dtk[/]"
            )
            console.print(
                f"      [dim]{problem or _format_facts(facts)}{f'  →  {event}' if event else ''}[/]",
                markup=True,
            )
            if problem:
                break
    return {
        "steps": steps,
        "certificate": story.certificate,
        "certificate_url": story.certificate.get("local_url", ""),
        "books": story.books,
        "split": story.split,
        "refused": story.refusals,
    }


def _format_facts(facts: dict[str, Any]) -> str:
    text = ", ".join(
        f"{name}: {value}" for name, value in facts.items() if value not in (None, [], "")
    )
    return text.replace("[", "\\[")[:400]


def _print_summary(console: Console, report: dict[str, Any]) -> None:
    failed = [step for step in report["steps"] if not step["ok"]]
    if failed:
        console.print(f"\n[red]Berhenti pada langkah {failed[0]['name']}.[/] Lihat ./bina logs.")
        return
    doors = topology.gateway_addresses()
    console.print(
        f"\nSemua {len(report['steps'])} langkah berhasil. Yang ditolak sebagaimana mestinya:"
    )
    for one in report["refused"]:
        console.print(
            f"  - {one['what']}: {one['answer']} {one.get('title', '')}".replace("[", "\\[")
        )
    console.print(
        f"Pembagian satu pesanan: {', '.join(f'{party} Rp {amount:,}'.replace(',', '.') for party, amount in report['split'].items())}"
    )
    console.print(
        f"Buku: debit Rp {report['books']['debit']:,} = kredit Rp {report['books']['credit']:,}".replace(
            ",", "."
        )
    )
    console.print(f"Periksa sertifikatnya: {report['certificate_url']}")
    console.print(
        f"Antarmuka petugas {doors['staff']}/docs, toko {doors['shop']}/docs, mitra {doors['partner']}/docs"
    )
