"""The command `status`: the state of every process, probed when the command runs.

Not here: the supervision of the processes (`supervisor`).
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.language import choose
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
from ops.local.up import describe_restarts, format_time, render_state
from ops.text_output import print_text
from ops.version import read_version

_OK = 200
_MONGOD_SECONDS = 3


def print_status(*, as_json: bool) -> int:
    """Print the status. Return 0 when every process is ready, else 1."""
    status = asyncio.run(read_status())
    if as_json:
        sys.stdout.write(json.dumps(status, ensure_ascii=False) + "\n")
    else:
        _print_status(status)
    return 0 if all(part["ready"] for part in status["parts"]) else 1


async def read_status() -> dict[str, Any]:
    """Return the state of the system as the document of `status --json`.

    `parts` are the processes; `consumer_lag` is a number of events.
    """
    runner = state_dir.runner_pid()
    # A supervisor that was killed leaves its state, and maybe processes that still run.
    published = {part["name"]: part for part in state_dir.read_published_state().get("parts", ())}
    parts = await asyncio.gather(
        _mongod_status(published),
        _kafka_status(published),
        *(_service_status(service, published) for service in topology.PROCESSES),
    )
    answers = [part["status"] for part in parts if part["status"]]
    rss_mib = sum(part["rss_mib"] for part in parts)
    if runner:
        rss_mib += _runner_memory_mib(runner)
    egress = {answer["egress_allow"] for answer in answers if answer.get("egress_allow")}
    broken = {
        it["service"]: it["invariants_broken"] for it in answers if it.get("invariants_broken")
    }
    return {
        "running": runner is not None,
        "crashed": runner is None and bool(published),
        "pid": runner,
        "parts": [*parts],
        "addresses": topology.gateway_addresses(),
        "egress_allow": sorted(egress),
        "consumer_lag": int(sum(answer.get("consumer_lag", 0) for answer in answers)),
        "outbox": {
            "unsent": _total(answers, "outbox", "unsent"),
            "oldest_seconds": _oldest_seconds(answers, "outbox"),
            "stopped_keys": _total(answers, "outbox", "stopped_keys"),
        },
        "parked": {
            "events": _total(answers, "parked", "events"),
            "keys": _total(answers, "parked", "keys"),
        },
        "early": {
            "waiting": _total(answers, "early", "waiting"),
            "oldest_seconds": _oldest_seconds(answers, "early"),
        },
        "invariants_broken": broken,
        "rss_mib": round(rss_mib, 1),
    }


def _total(answers: Iterable[dict[str, Any]], group: str, name: str) -> int:
    return sum(answer.get(group, {}).get(name, 0) for answer in answers)


def _oldest_seconds(answers: Iterable[dict[str, Any]], group: str) -> float:
    ages = [answer.get(group, {}).get("oldest_seconds", 0) for answer in answers]
    return max(ages, default=0)


async def _service_status(service: topology.Service, published: dict[str, Any]) -> dict[str, Any]:
    address = f"http://{platform_checks.LOOPBACK}:{service.listener.port}"
    if service.name not in published:
        return _process_status(service.name, address, published, is_ready=False, version="")
    (ready, _), (code, answer) = await asyncio.gather(
        http_probe.get(service.probe_port, "/readyz"),
        http_probe.get(service.probe_port, "/statusz"),
    )
    return _process_status(
        service.name,
        address,
        published,
        is_ready=ready == _OK,
        version=read_version() if code == _OK else "",
        answer=answer,
    )


async def _mongod_status(published: dict[str, Any]) -> dict[str, Any]:
    own = os.environ.get("BINA_MONGO_URL")
    address = f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}"
    version = ""
    if own or "mongod" in published:
        version = await _mongod_version(own or _embedded_url(address))
    return _process_status(
        "mongod",
        published.get("mongod", {}).get("address", address),
        published,
        is_ready=bool(version),
        version=version,
    )


def _embedded_url(address: str) -> str:
    password = secrets.administrator_password(state_dir.path() / "secrets")
    return mongo_users.administrator_url(address, password)


async def _mongod_version(url: str) -> str:
    """Return the version of the server; empty when it does not answer."""
    try:
        async with asyncio.timeout(_MONGOD_SECONDS), mongo_users.open_admin_database(url) as mongo:
            return str((await mongo.client.admin.command("buildInfo"))["version"])
    except (mongo_users.MongoError, TimeoutError):
        return ""


async def _kafka_status(published: dict[str, Any]) -> dict[str, Any]:
    own = kafka_login.configured_address()
    address = own or f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
    is_expected = "kafka" in published or own is not None
    is_ready = is_expected and await http_probe.accepts(address)
    embedded_version = kafka_jars.ROOT_ARTIFACTS[0].rpartition(":")[2]
    return _process_status(
        "kafka",
        address,
        published,
        is_ready=is_ready,
        version=embedded_version if is_ready and not own else "",
    )


def _process_status(
    name: str,
    address: str,
    published: dict[str, Any],
    *,
    is_ready: bool,
    version: str,
    answer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    known = published.get(name, {})
    pid = state_dir.find_live_pid(name)
    return {
        "name": name,
        "state": _state(known, is_ready=is_ready, runs=pid is not None),
        "ready": is_ready,
        "address": address,
        "version": version,
        "pid": pid,
        "rss_mib": _memory_mib(pid),
        "since": known.get("since"),
        "restarts": known.get("restarts", 0),
        "ended_at": known.get("ended_at"),
        "advice": known.get("advice", ""),
        "advice_in_english": known.get("advice_in_english", ""),
        "status": answer or {},
    }


def _state(known: dict[str, Any], *, is_ready: bool, runs: bool) -> str:
    """Return the state as probed, because the supervisor's may be seconds older."""
    if is_ready:
        return ProcessState.READY.value
    if state_dir.runner_pid() is None and not runs:
        return ProcessState.STOPPED.value
    if known.get("state") == ProcessState.READY:
        return ProcessState.NOT_READY.value
    return known.get("state", ProcessState.STOPPED.value)


def _memory_mib(pid: int | None) -> float:
    return round(processes.resident_bytes(pid) / platform_checks.MIB, 1) if pid else 0.0


def _runner_memory_mib(pid: int) -> float:
    return processes.resident_bytes(pid, with_children=False) / platform_checks.MIB


def _print_status(state: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(_render_table(state["parts"]))
    for part in state["parts"]:
        if remark := _remark(part):
            print_text(f"{part['name']}: {remark}")
    if state["running"]:
        _print_running(state, console)
    print_text(f"{choose('Berikutnya', 'Next')}: {_next_command(state)}")


def _print_running(state: dict[str, Any], console: Console) -> None:
    versions = {part["name"]: part["version"] for part in state["parts"]}
    servers = f"MongoDB {versions['mongod'] or '?'}, Kafka {versions['kafka'] or '?'}"
    print_text(f"Bina {read_version()}, {servers}")
    _print_counts(state)
    warning = choose("Perhatian", "Warning")
    for service, broken in state["invariants_broken"].items():
        names = ", ".join(broken)
        sentence = choose(f"{service} melanggar {names}: lihat", f"{service} violates {names}: see")
        console.print(f"{warning}: {sentence} docs/runbooks/InvariantBroken.md", style="red")
    for name, address in state["addresses"].items():
        print_text(f"{name}: {address}")
    for allowed in state["egress_allow"]:
        console.print(f"{warning}: EGRESS_ALLOW={allowed}", style="yellow")


def _next_command(state: dict[str, Any]) -> str:
    """Return what to type next, with the reason."""
    if state["crashed"]:
        return choose(
            "./bina up (Bina berhenti mendadak; datanya utuh)",
            "./bina up (Bina was killed; its data are kept)",
        )
    if not state["running"]:
        return choose("./bina up (Bina tidak berjalan)", "./bina up (Bina is not running)")
    for part in state["parts"]:
        if not part["ready"]:
            return f"./bina logs {part['name']}"
    if state["parked"]["events"]:
        return "./bina events parked list"
    if state["outbox"]["stopped_keys"]:
        return "./bina events outbox"
    return "./bina demo"


def _remark(part: dict[str, Any]) -> str:
    """Return what to say about a process below the table; empty if nothing."""
    advice = choose(part["advice"], part["advice_in_english"])
    missing = ", ".join(part["status"].get("missing", ()))
    waiting = choose(f"menunggu {missing}", f"waits for {missing}") if missing else ""
    notices = part["status"].get("notices", ())
    rotation = describe_key_rotation(part["name"], part["status"].get("key_rotation", {}))
    sentences = (advice or waiting, describe_restarts(part), *notices, rotation)
    return "; ".join(sentence for sentence in sentences if sentence)


def describe_key_rotation(service: str, rotation: dict[str, Any]) -> str:
    """Return how far the renewal under new keys is; empty without former keys."""
    if not rotation:
        return ""
    files = ", ".join(f"{service}_former_{name}" for name in rotation["former"])
    left = rotation["left"]
    if left is None:
        return choose(f"menghitung nilai yang memakai {files}", f"counts what needs {files}")
    if rotation["finished_at"] is None:
        return choose(
            f"{left} nilai masih memakai {files} dan sedang diperbarui",
            f"{left} values still need {files} and are being renewed",
        )
    if left == 0:
        return choose(
            f"tidak ada nilai yang memakai {files}: berkas itu boleh dihapus",
            f"no value needs {files}: the file may be removed",
        )
    unreadable = rotation["unreadable"]
    return choose(
        f"{left} nilai masih memakai {files} ({unreadable} tidak terbaca), lihat docs/keys.md",
        f"{left} values still need {files} ({unreadable} are unreadable), see docs/keys.md",
    )


def _render_table(parts: Iterable[dict[str, Any]]) -> Table:
    """Return the processes as a table of at most 80 columns with addresses of this machine."""
    table = Table(box=None, pad_edge=False)
    for title in (
        choose("Bagian", "Process"),
        choose("Keadaan", "State"),
        choose("Sejak", "Since"),
        choose("Diulang", "Restarts"),
    ):
        table.add_column(title, no_wrap=True)
    table.add_column(choose("Alamat", "Address"), overflow="fold")
    table.add_column("MiB", justify="right", no_wrap=True)
    for part in parts:
        runs = part["state"] != ProcessState.STOPPED
        table.add_row(
            part["name"],
            render_state(part["state"]),
            format_time(part["since"]) if runs and part["since"] else "",
            str(part["restarts"]) if runs else "",
            part["address"].replace(",", ",\n"),
            f"{part['rss_mib']:.0f}",
        )
    return table


def _print_counts(state: dict[str, Any]) -> None:
    outbox = state["outbox"]
    parked = state["parked"]
    early = state["early"]["waiting"]
    unread = state["consumer_lag"]
    memory = f"{state['rss_mib']:.0f} MiB"
    oldest = f"{outbox['oldest_seconds']:.0f}"
    print_text(
        choose(
            f"Belum terbaca: {unread} peristiwa."
            f" Belum terkirim: {outbox['unsent']} (tertua {oldest} detik).",
            f"Not read yet: {unread} events."
            f" Not sent yet: {outbox['unsent']} (oldest {oldest} seconds).",
        )
    )
    print_text(
        choose(
            f"Tertahan: {parked['events']} peristiwa ({parked['keys']} kunci)."
            f" Menunggu pendahulu: {early}. Memori: {memory}.",
            f"Parked: {parked['events']} events ({parked['keys']} keys)."
            f" Early: {early}. Memory: {memory}.",
        )
    )
