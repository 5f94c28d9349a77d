"""Starts every part, keeps it running, ends it all: the work behind `up`. Not here: what a person sees of it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlsplit

from ops.errors import OperatorError
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
_RECHECK_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 30.0
_MAX_LOG_BYTES = 64 * platform_checks.MIB


class ProcessState(StrEnum):
    """How a part stands; the value is stable in JSON."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not-ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(kw_only=True)
class SupervisedProcess:
    """One line of the table: a part, and how it stands."""

    name: str
    address: str
    start: Callable[[], Awaitable["Popen[bytes] | None"]]  # None: runs elsewhere
    probe: Callable[[], Awaitable[bool]]
    state: ProcessState = ProcessState.WAITING
    advice: str = ""
    process: "Popen[bytes] | None" = None
    started: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """The parts of one local system. `changed` is called after each change of a state."""

    def __init__(self, on_change: Callable[[Sequence[SupervisedProcess]], None]) -> None:
        self._on_change = on_change
        self._secrets = state_dir.path() / "secrets"
        self._mongo_url = os.environ.get("BINA_MONGO_URL", "")
        self._kafka = (
            kafka_login.configured_address() or f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
        )
        self.servers = [self._build_mongod(), self._build_broker()]
        self.services = [self._build_service(service) for service in topology.PROCESSES]
        self.processes = [*self.servers, *self.services]

    async def run(self, stop: asyncio.Event) -> None:
        """Start all, keep it running until `stop` is set, end all. Raises OperatorError when a part cannot start for a reason a person must mend."""
        self._report()
        for service in topology.PROCESSES:
            for port in topology.listening_ports(service):
                platform_checks.require_port(port, service.name, service.listener.variable)
            for directory in service.directories:
                (state_dir.path() / service.name / directory).mkdir(
                    mode=0o700, parents=True, exist_ok=True
                )
        secrets.make_secrets(self._secrets)
        keepers: list[list[asyncio.Task[None]]] = [[], []]
        stopping = asyncio.create_task(stop.wait())
        try:
            keepers[1] = [asyncio.create_task(self._supervise(part)) for part in self.servers]
            await self._wait_for_first(
                stopping,
                keepers[1],
                asyncio.gather(*(part.started.wait() for part in self.servers)),
            )
            if not stopping.done():
                await self._make_users()
                keepers[0] = [asyncio.create_task(self._supervise(part)) for part in self.services]
                await self._wait_for_first(stopping, [*keepers[0], *keepers[1]])
        finally:
            stopping.cancel()
            for wave in keepers:  # ours first: they still have something to say to the servers
                for task in wave:
                    task.cancel()
                await asyncio.gather(*wave, return_exceptions=True)

    def kill_all(self) -> None:
        """End everything at once: the second Ctrl-C."""
        for part in self.processes:
            if part.process is not None and part.process.poll() is None:
                os.killpg(part.process.pid, signal.SIGKILL)

    @property
    def is_ready(self) -> bool:
        """Whether every part is."""
        return all(part.state is ProcessState.READY for part in self.processes)

    async def _wait_for_first(
        self,
        stopping: "asyncio.Task[bool]",
        keepers: Sequence["asyncio.Task[None]"],
        goal: "asyncio.Future[list[bool]] | None" = None,
    ) -> None:
        """Return when the goal is reached or we are to stop; a keeper that ends has failed, and its error is raised."""
        await asyncio.wait(
            [stopping, *keepers, *([goal] if goal else [])], return_when=asyncio.FIRST_COMPLETED
        )
        if goal:
            goal.cancel()
            await asyncio.wait([goal])  # its end must be seen, or asyncio reports it as lost
            if not goal.cancelled():
                goal.exception()
        for keeper in keepers:
            if keeper.done():
                keeper.result()

    async def _supervise(self, supervised: SupervisedProcess) -> None:
        """Start a part, watch it, and start it again when it dies."""
        pause = 1.0
        while True:
            self._report(supervised, ProcessState.STARTING)
            try:
                supervised.process = await supervised.start()
            except OperatorError as trouble:
                if not supervised.started.is_set():
                    raise
                self._report(supervised, ProcessState.FAILED, trouble.indonesian)
            else:
                try:
                    if supervised.process:
                        state_dir.record_process(supervised.name, supervised.process.pid)
                    born = time.monotonic()
                    await self._watch(supervised)
                    pause = (
                        1.0
                        if time.monotonic() - born > _MAX_PAUSE_SECONDS
                        else min(pause * 2, _MAX_PAUSE_SECONDS)
                    )
                finally:
                    if supervised.process:
                        await asyncio.to_thread(processes.end, supervised.process)
                        self._report(supervised, ProcessState.STOPPED)
                code = supervised.process.returncode if supervised.process else 0
                self._report(
                    supervised,
                    ProcessState.FAILED,
                    f"berhenti sendiri (kode {code}), dimulai lagi dalam {pause:.0f} detik; baca: ./bina logs {supervised.name}",
                )
            await asyncio.sleep(pause)

    async def _watch(self, supervised: SupervisedProcess) -> None:
        """Return when the part's process has ended; meanwhile tell whether it is ready."""
        deadline = time.monotonic() + _READY_SECONDS
        asked = 0.0
        while supervised.process is None or supervised.process.poll() is None:
            now = time.monotonic()
            if now - asked >= (
                _RECHECK_SECONDS
                if supervised.started.is_set() and supervised.state is ProcessState.READY
                else _CHECK_SECONDS / 2
            ):
                asked = now
                if await supervised.probe():
                    supervised.started.set()
                    self._report(supervised, ProcessState.READY)
                elif supervised.state is ProcessState.READY:
                    self._report(
                        supervised,
                        ProcessState.NOT_READY,
                        f"tidak menjawab siap; baca: ./bina logs {supervised.name}",
                    )
                elif supervised.state is ProcessState.STARTING and now > deadline:
                    self._report(
                        supervised,
                        ProcessState.NOT_READY,
                        f"belum siap setelah {_READY_SECONDS:.0f} detik; baca: ./bina logs {supervised.name}",
                    )
                _rotate_log(state_dir.log_path(supervised.name))
            await asyncio.sleep(
                _CHECK_SECONDS / 2 if supervised.state is not ProcessState.READY else _CHECK_SECONDS
            )

    async def _make_users(self) -> None:
        for service in topology.PROCESSES:
            password = secrets.mongo_password(self._secrets, service.name)
            secrets.write_mongo_url(
                self._secrets,
                service.name,
                await mongo_users.make_user(self._mongo_url, service.name, password),
            )

    def _build_mongod(self) -> SupervisedProcess:
        async def start() -> "Popen[bytes] | None":
            if os.environ.get("BINA_MONGO_URL"):
                return None
            password = secrets.administrator_password(self._secrets)
            running = await mongod.start(
                state_dir.path() / "mongod",
                topology.MONGOD.port,
                password,
                state_dir.log_path("mongod"),
                variable=topology.MONGOD.variable,
            )
            self._mongo_url = running.url
            return running.process

        async def ask() -> bool:
            return await http_probe.accepts(address)

        address = (
            urlsplit(self._mongo_url).netloc.rpartition("@")[2]
            or f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}"
        )
        return SupervisedProcess(name="mongod", address=address, start=start, probe=ask)

    def _build_broker(self) -> SupervisedProcess:
        async def start() -> "Popen[bytes] | None":
            if kafka_login.configured_address():
                return None
            running = await kafka_broker.start(
                state_dir.path() / "kafka",
                topology.KAFKA.port,
                topology.KAFKA_CONTROLLER.port,
                state_dir.log_path("kafka"),
                variable=topology.KAFKA.variable,
                progress=lambda done, total: self._report(
                    part,
                    ProcessState.STARTING,
                    f"mengunduh Kafka, sekali saja: {done * 10 // total * 10}% dari {total} berkas",
                ),
            )
            return running.process

        async def ask() -> bool:
            return await http_probe.accepts(self._kafka)

        part = SupervisedProcess(name="kafka", address=self._kafka, start=start, probe=ask)
        return part

    def _build_service(self, service: topology.Service) -> SupervisedProcess:
        async def start() -> "Popen[bytes]":
            env = {
                name: value for name, value in os.environ.items() if name != "BINA_MONGO_URL"
            } | topology.build_environment(service, state_dir.path(), self._kafka)
            return processes.spawn(
                [sys.executable, "-m", service.module],
                state_dir.log_path(service.name),
                env=env,
                cwd=state_dir.ROOT,
            )

        async def ask() -> bool:
            return (await http_probe.get(service.probe_port, "/readyz"))[0] == 200  # noqa: PLR2004 - the status says it

        return SupervisedProcess(
            name=service.name,
            address=f"http://{platform_checks.LOOPBACK}:{service.listener.port}",
            start=start,
            probe=ask,
        )

    def _report(
        self,
        supervised: SupervisedProcess | None = None,
        state: ProcessState | None = None,
        advice: str = "",
    ) -> None:
        if supervised is not None and state is not None:
            if (supervised.state, supervised.advice) == (state, advice):
                return
            supervised.state, supervised.advice = state, advice
        self._on_change(self.processes)


def _rotate_log(log: Path) -> None:
    """Keep a log and one before it; whoever writes it appends, so it may be cut while it is written."""
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
