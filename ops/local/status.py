"""The command `status`: every part as it is now, asked at this moment."""

import asyncio
import json
import os
import sys
import tomllib
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.local import (
    http_probe,
    kafka_jars,
    kafka_login,
    mongo_users,
    platform_checks,
    processes,
    secrets,
    state_dir,
    topology,
)
from ops.local.supervisor import ProcessState

_OK = 200


def print_status(*, as_json: bool) -> int:
    """Print it; 0 when every part is ready, else 1."""
    found = asyncio.run(read_status())
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        _print_status(found)
    return 0 if all(part["ready"] for part in found["parts"]) else 1


async def read_status() -> dict[str, Any]:
    """The state of the system by stable names: parts, addresses, consumer_lag (events), outbox, parked, early, invariants_broken."""
    runner = state_dir.runner_pid()
    told = (
        {part["name"]: part for part in state_dir.read_published_state().get("parts", ())}
        if runner
        else {}
    )
    seen = [
        *await asyncio.gather(
            _mongod_status(told),
            _kafka_status(told),
            *(_service_status(service, told) for service in topology.PROCESSES),
        )
    ]
    answers = [part["status"] for part in seen if part["status"]]

    def total(group: str, name: str) -> int:
        return sum(answer.get(group, {}).get(name, 0) for answer in answers)

    def longest(group: str) -> float:
        return max(
            (answer.get(group, {}).get("oldest_seconds", 0) for answer in answers), default=0
        )

    return {
        "running": runner is not None,
        "pid": runner,
        "parts": seen,
        "addresses": topology.gateway_addresses(),
        "egress_allow": sorted(
            {answer["egress_allow"] for answer in answers if answer.get("egress_allow")}
        ),
        "consumer_lag": int(sum(answer.get("consumer_lag", 0) for answer in answers)),
        "outbox": {
            "unsent": total("outbox", "unsent"),
            "oldest_seconds": longest("outbox"),
            "stopped_keys": total("outbox", "stopped_keys"),
        },
        "parked": {"events": total("parked", "events"), "keys": total("parked", "keys")},
        "early": {"waiting": total("early", "waiting"), "oldest_seconds": longest("early")},
        "invariants_broken": {
            answer["service"]: answer["invariants_broken"]
            for answer in answers
            if answer.get("invariants_broken")
        },
        "rss_mib": round(
            sum(part["rss_mib"] for part in seen) + (_runner_memory_mib(runner) if runner else 0), 1
        ),
    }


async def _service_status(service: topology.Service, published: dict[str, Any]) -> dict[str, Any]:
    port = service.probe_port
    (ready, _), (code, answer) = (
        (await asyncio.gather(http_probe.get(port, "/readyz"), http_probe.get(port, "/statusz")))
        if service.name in published
        else ((0, {}), (0, {}))
    )
    return _process_status(
        service.name,
        f"http://{platform_checks.LOOPBACK}:{service.listener.port}",
        published,
        ready=ready == _OK,
        version=_version() if code == _OK else "",
        answer=answer,
    )


async def _mongod_status(published: dict[str, Any]) -> dict[str, Any]:
    own = os.environ.get("BINA_MONGO_URL")
    address = f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}"
    version = ""
    if own or "mongod" in published:
        url = own or mongo_users.administrator_url(
            address, secrets.administrator_password(state_dir.path() / "secrets")
        )
        try:
            async with asyncio.timeout(3), mongo_users.open_admin_database(url) as mongo:
                version = str((await mongo.client.admin.command("buildInfo"))["version"])
        except (mongo_users.MongoError, TimeoutError):
            version = ""
    return _process_status(
        "mongod",
        published.get("mongod", {}).get("address", address),
        published,
        ready=bool(version),
        version=version,
    )


async def _kafka_status(published: dict[str, Any]) -> dict[str, Any]:
    own = kafka_login.configured_address()
    address = own or f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
    ready = ("kafka" in published or own is not None) and await http_probe.accepts(address)
    return _process_status(
        "kafka",
        address,
        published,
        ready=ready,
        version="" if own or not ready else kafka_jars.ROOT_ARTIFACTS[0].rpartition(":")[2],
    )


def _process_status(
    name: str,
    address: str,
    published: dict[str, Any],
    *,
    ready: bool,
    version: str,
    answer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    known = published.get(name, {})
    state = (
        ProcessState.READY.value
        if ready
        else ProcessState.NOT_READY.value
        if known.get("state") == ProcessState.READY
        else known.get("state", ProcessState.STOPPED.value)
    )
    return {
        "name": name,
        "state": state,
        "ready": ready,
        "address": address,
        "version": version,
        "pid": known.get("pid"),
        "rss_mib": _memory_mib(known.get("pid")),
        "advice": known.get("advice", ""),
        "status": answer or {},
    }


def _memory_mib(pid: int | None) -> float:
    return round(processes.resident_bytes(pid) / platform_checks.MIB, 1) if pid else 0.0


def _runner_memory_mib(pid: int) -> float:
    return processes.resident_bytes(pid, with_children=False) / platform_checks.MIB


def _version() -> str:
    return str(tomllib.loads((state_dir.ROOT / "pyproject.toml").read_text())["project"]["version"])


def _print_status(state: dict[str, Any]) -> None:
    console = Console()
    if not state["running"]:
        console.print("Bina tidak berjalan: jalankan ./bina up")
    shown = Table(
        "Bagian", "Keadaan", "Alamat", "Versi", "MiB", "Keterangan", box=None, pad_edge=False
    )
    for part in state["parts"]:
        missing = ", ".join(part["status"].get("missing", ()))
        advice = part["advice"] or (f"menunggu {missing}" if missing else "")
        shown.add_row(
            part["name"],
            "siap" if part["ready"] else part["state"],
            part["address"],
            part["version"],
            f"{part['rss_mib']:.0f}",
            advice,
        )
    console.print(shown)
    if state["running"]:
        outbox, parked, early = state["outbox"], state["parked"], state["early"]
        console.print(
            f"Belum terbaca: {state['consumer_lag']} peristiwa. Belum terkirim: {outbox['unsent']} (tertua {outbox['oldest_seconds']:.0f} detik)."
        )
        console.print(
            f"Diparkir: {parked['events']} peristiwa ({parked['keys']} kunci). Menunggu pendahulu: {early['waiting']}. Memori: {state['rss_mib']:.0f} MiB."
        )
        for service, broken in state["invariants_broken"].items():
            console.print(
                f"Perhatian: {service} melanggar {', '.join(broken)}: lihat docs/runbooks/InvariantBroken.md",
                style="red",
            )
        for name, address in state["addresses"].items():
            console.print(f"{name}: {address}")
        for allowed in state["egress_allow"]:
            console.print(f"Perhatian: EGRESS_ALLOW={allowed}", style="yellow")
