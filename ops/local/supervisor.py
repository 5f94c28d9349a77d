"""Starts every process, restarts those that end, and stops all: the supervisor of `up`.

Not here: what a person sees (`up`).
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlsplit

from ops.errors import OperatorError
from ops.language import Bilingual
from ops.local import (
    http_probe,
    kafka_broker,
    kafka_login,
    mongo_users,
    mongod,
    platform_checks,
    processes,
    secrets,
    state_dir,
    topology,
)

_READY_SECONDS = 60.0
_CHECK_SECONDS = 0.5
_STARTING_CHECK_SECONDS = _CHECK_SECONDS / 2
_RECHECK_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0
_MAX_LOG_BYTES = 64 * platform_checks.MIB
_OK = 200
NO_ADVICE = Bilingual()


class ProcessState(StrEnum):
    """The state of a process; the values are stable in JSON."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not-ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(kw_only=True)
class SupervisedProcess:
    """A process with its state and an advice to the operator.

    `start` returns None if the process runs elsewhere. `since` is when the state began; `restarts`
    counts the times that the process ended by itself, the last time at `ended_at`.
    """

    name: str
    address: str
    start: Callable[[], Awaitable["Popen[bytes] | None"]]
    probe: Callable[[], Awaitable[bool]]
    state: ProcessState = ProcessState.WAITING
    advice: Bilingual = NO_ADVICE
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    restarts: int = 0
    ended_at: datetime | None = None
    process: "Popen[bytes] | None" = None
    started: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        """Whether our child has ended; always false for a process that runs elsewhere."""
        return self.process is not None and self.process.poll() is not None


class Supervisor:
    """The processes of one local system. `on_change` is called after each change of a state."""

    def __init__(self, on_change: Callable[[Sequence[SupervisedProcess]], None]) -> None:
        embedded_kafka = f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
        self._on_change = on_change
        self._secrets = state_dir.path() / "secrets"
        self._mongo_url = os.environ.get("BINA_MONGO_URL", "")
        self._kafka = kafka_login.configured_address() or embedded_kafka
        self.servers = [self._build_mongod(), self._build_broker()]
        self.services = [self._build_service(service) for service in topology.PROCESSES]
        self.processes = [*self.servers, *self.services]

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it running until `stop` is set, then stop everything.

        Raises OperatorError when a process cannot start until a person corrects something.
        """
        self._report()
        self._prepare()
        server_tasks: list[asyncio.Task[None]] = []
        service_tasks: list[asyncio.Task[None]] = []
        stopping = asyncio.create_task(stop.wait())
        try:
            server_tasks = self._supervise_all(self.servers)
            started = asyncio.gather(*(server.started.wait() for server in self.servers))
            await _wait_for_first(stopping, server_tasks, started)
            if not stopping.done():
                await self._make_users()
                service_tasks = self._supervise_all(self.services)
                await _wait_for_first(stopping, [*service_tasks, *server_tasks])
        finally:
            stopping.cancel()
            # Services end first: they still write to the servers.
            await _cancel_all(service_tasks)
            await _cancel_all(server_tasks)

    def kill_all(self) -> None:
        """Kill every process group at once, on the second Ctrl-C."""
        for supervised in self.processes:
            if supervised.process is not None and not supervised.has_ended:
                os.killpg(supervised.process.pid, signal.SIGKILL)

    @property
    def is_ready(self) -> bool:
        """Whether every process is ready."""
        return all(supervised.state is ProcessState.READY for supervised in self.processes)

    def _prepare(self) -> None:
        """Check ports, and make directories and secrets."""
        for service in topology.PROCESSES:
            for port in topology.listening_ports(service):
                platform_checks.require_port(port, service.name, service.listener.variable)
            for directory in service.directories:
                path = state_dir.path() / service.name / directory
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        secrets.make_secrets(self._secrets)

    def _supervise_all(
        self, supervised_processes: Sequence[SupervisedProcess]
    ) -> "list[asyncio.Task[None]]":
        return [
            asyncio.create_task(self._supervise(supervised)) for supervised in supervised_processes
        ]

    async def _supervise(self, supervised: SupervisedProcess) -> None:
        """Start a process, watch it, and restart it when it ends."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            self._report(supervised, ProcessState.STARTING)
            try:
                supervised.process = await supervised.start()
            except OperatorError as error:
                if not supervised.started.is_set():
                    raise
                advice = Bilingual(error.indonesian, error.english)
                self._report(supervised, ProcessState.FAILED, advice)
            else:
                lifetime = await self._run_to_end(supervised)
                pause = _next_pause(pause, lifetime)
                supervised.restarts += 1
                supervised.ended_at = datetime.now(UTC)
                _log_end(supervised)
                self._report(supervised, ProcessState.FAILED, _ended_advice(supervised, pause))
            await asyncio.sleep(pause)

    async def _run_to_end(self, supervised: SupervisedProcess) -> float:
        """Watch a started process until it ends; return its lifetime in seconds.

        On cancellation the process is stopped.
        """
        started_at = time.monotonic()
        try:
            if supervised.process:
                state_dir.record_process(supervised.name, supervised.process.pid)
            await self._watch(supervised)
        finally:
            if supervised.process:
                await asyncio.to_thread(processes.end, supervised.process)
                self._report(supervised, ProcessState.STOPPED)
        return time.monotonic() - started_at

    async def _watch(self, supervised: SupervisedProcess) -> None:
        """Report whether the process is ready, until it has ended."""
        deadline = time.monotonic() + _READY_SECONDS
        checked_at = 0.0
        while not supervised.has_ended:
            now = time.monotonic()
            is_ready = supervised.state is ProcessState.READY
            if now - checked_at >= (_RECHECK_SECONDS if is_ready else _STARTING_CHECK_SECONDS):
                checked_at = now
                await self._check(supervised, has_time_left=now <= deadline)
                _rotate_log(state_dir.log_path(supervised.name))
            is_ready = supervised.state is ProcessState.READY
            await asyncio.sleep(_CHECK_SECONDS if is_ready else _STARTING_CHECK_SECONDS)

    async def _check(self, supervised: SupervisedProcess, *, has_time_left: bool) -> None:
        logs = _logs_advice(supervised)
        if await supervised.probe():
            supervised.started.set()
            self._report(supervised, ProcessState.READY)
        elif supervised.state is ProcessState.READY:
            advice = Bilingual(
                f"tidak menjawab siap; {logs.indonesian}", f"no longer ready; {logs.english}"
            )
            self._report(supervised, ProcessState.NOT_READY, advice)
        elif supervised.state is ProcessState.STARTING and not has_time_left:
            advice = Bilingual(
                f"belum siap setelah {_READY_SECONDS:.0f} detik; {logs.indonesian}",
                f"not ready after {_READY_SECONDS:.0f} seconds; {logs.english}",
            )
            self._report(supervised, ProcessState.NOT_READY, advice)

    async def _make_users(self) -> None:
        """Make a MongoDB user for each service, and write its URL where the service reads it."""
        for service in topology.PROCESSES:
            password = secrets.mongo_password(self._secrets, service.name)
            url = await mongo_users.make_user(self._mongo_url, service.name, password)
            secrets.write_mongo_url(self._secrets, service.name, url)

    def _build_mongod(self) -> SupervisedProcess:
        embedded = f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}"
        address = urlsplit(self._mongo_url).netloc.rpartition("@")[2] or embedded

        async def probe() -> bool:
            return await http_probe.accepts(address)

        return SupervisedProcess(
            name="mongod", address=address, start=self._start_mongod, probe=probe
        )

    async def _start_mongod(self) -> "Popen[bytes] | None":
        if os.environ.get("BINA_MONGO_URL"):
            return None
        running = await mongod.start(
            state_dir.path() / "mongod",
            topology.MONGOD.port,
            secrets.administrator_password(self._secrets),
            state_dir.log_path("mongod"),
            variable=topology.MONGOD.variable,
        )
        self._mongo_url = running.url
        return running.process

    def _build_broker(self) -> SupervisedProcess:
        async def probe() -> bool:
            return await http_probe.accepts(self._kafka)

        return SupervisedProcess(
            name="kafka", address=self._kafka, start=self._start_broker, probe=probe
        )

    async def _start_broker(self) -> "Popen[bytes] | None":
        if kafka_login.configured_address():
            return None
        running = await kafka_broker.start(
            state_dir.path() / "kafka",
            topology.KAFKA.port,
            topology.KAFKA_CONTROLLER.port,
            state_dir.log_path("kafka"),
            variable=topology.KAFKA.variable,
            progress=self._report_download,
        )
        return running.process

    def _report_download(self, done: int, total: int) -> None:
        [broker] = [server for server in self.servers if server.name == "kafka"]
        share = done * 10 // total * 10
        advice = Bilingual(
            f"mengunduh Kafka, sekali saja: {share}% dari {total} berkas",
            f"downloading Kafka, once: {share}% of {total} files",
        )
        self._report(broker, ProcessState.STARTING, advice)

    def _build_service(self, service: topology.Service) -> SupervisedProcess:
        async def start() -> "Popen[bytes]":
            env = {name: value for name, value in os.environ.items() if name != "BINA_MONGO_URL"}
            env |= topology.build_environment(service, state_dir.path(), self._kafka)
            command = [sys.executable, "-m", service.module]
            log = state_dir.log_path(service.name)
            return processes.spawn(command, log, env=env, cwd=state_dir.ROOT)

        async def probe() -> bool:
            status, _ = await http_probe.get(service.probe_port, "/readyz")
            return status == _OK

        address = f"http://{platform_checks.LOOPBACK}:{service.listener.port}"
        return SupervisedProcess(name=service.name, address=address, start=start, probe=probe)

    def _report(
        self,
        supervised: SupervisedProcess | None = None,
        state: ProcessState | None = None,
        advice: Bilingual = NO_ADVICE,
    ) -> None:
        """Store a changed state with its advice, and call `on_change`.

        Without a process it only calls `on_change`.
        """
        if supervised is not None and state is not None:
            if (supervised.state, supervised.advice) == (state, advice):
                return
            if supervised.state is not state:
                supervised.since = datetime.now(UTC)
            supervised.state = state
            supervised.advice = advice
        self._on_change(self.processes)


async def _wait_for_first(
    stopping: "asyncio.Task[bool]",
    tasks: "Sequence[asyncio.Task[None]]",
    goal: "asyncio.Future[Any] | None" = None,
) -> None:
    """Wait for the goal, the signal to stop, or the end of a task; raise that task's error."""
    awaited: list[asyncio.Future[Any]] = [stopping, *tasks]
    if goal:
        awaited.append(goal)
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    if goal:
        goal.cancel()
        await asyncio.wait([goal])
        if not goal.cancelled():
            goal.exception()  # asyncio logs an exception that was never retrieved
    for task in tasks:
        if task.done():
            task.result()


async def _cancel_all(tasks: "Sequence[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _next_pause(pause: float, lifetime: float) -> float:
    """Return the seconds before the next start: doubled up to a maximum.

    They begin again at the minimum after a lifetime of more than that maximum.
    """
    if lifetime > _MAX_PAUSE_SECONDS:
        return _FIRST_PAUSE_SECONDS
    return min(pause * 2, _MAX_PAUSE_SECONDS)


def _logs_advice(supervised: SupervisedProcess) -> Bilingual:
    command = f"./bina logs {supervised.name}"
    return Bilingual(f"baca: {command}", f"read: {command}")


def _ended_advice(supervised: SupervisedProcess, pause: float) -> Bilingual:
    code = supervised.process.returncode if supervised.process else 0
    logs = _logs_advice(supervised)
    return Bilingual(
        f"berhenti sendiri (kode {code}), dimulai lagi dalam {pause:.0f} detik; {logs.indonesian}",
        f"ended by itself (status {code}), restarts in {pause:.0f} seconds; {logs.english}",
    )


def _log_end(supervised: SupervisedProcess) -> None:
    """Add a line to the log of a process that ended by itself: it could not write one."""
    line = {
        "timestamp": supervised.ended_at.isoformat() if supervised.ended_at else "",
        "level": "error",
        "event": "process_ended_by_itself",
        "status": supervised.process.returncode if supervised.process else 0,
        "restarts": supervised.restarts,
    }
    with state_dir.log_path(supervised.name).open("a") as log:
        log.write(json.dumps(line) + "\n")


def _rotate_log(log: Path) -> None:
    """Move a log beyond _MAX_LOG_BYTES to `.log.1`, and truncate it.

    Its writers open it for appending, so it may be truncated while they run.
    """
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
