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

from ops.errors import Trouble
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
_LOOK_SECONDS = 0.5
_ASK_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 30.0
_LARGEST_LOG = 64 * platform_checks.MIB


class State(StrEnum):
    """How a part stands; the value is stable in JSON."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not-ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(kw_only=True)
class Part:
    """One line of the table: a part, and how it stands."""

    name: str
    address: str
    start: Callable[[], Awaitable["Popen[bytes] | None"]]  # None: runs elsewhere
    ask: Callable[[], Awaitable[bool]]
    state: State = State.WAITING
    advice: str = ""
    process: "Popen[bytes] | None" = None
    started: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """The parts of one local system. `changed` is called after each change of a state."""

    def __init__(self, changed: Callable[[Sequence[Part]], None]) -> None:
        self._changed = changed
        self._secrets = state_dir.home() / "secrets"
        self._mongo_url = os.environ.get("BINA_MONGO_URL", "")
        self._kafka = kafka_login.address() or f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}"
        self.servers = [self._mongod(), self._broker()]
        self.ours = [self._service(service) for service in topology.OURS]
        self.parts = [*self.servers, *self.ours]

    async def run(self, stop: asyncio.Event) -> None:
        """Start all, keep it running until `stop` is set, end all. Raises Trouble when a part cannot start for a reason a person must mend."""
        self._say()
        for service in topology.OURS:
            for port in topology.ports_of(service):
                platform_checks.require_port(port, service.name, service.listener.variable)
            for directory in service.directories:
                (state_dir.home() / service.name / directory).mkdir(
                    mode=0o700, parents=True, exist_ok=True
                )
        secrets.make(self._secrets)
        keepers: list[list[asyncio.Task[None]]] = [[], []]
        stopping = asyncio.create_task(stop.wait())
        try:
            keepers[1] = [asyncio.create_task(self._keep(part)) for part in self.servers]
            await self._first(
                stopping,
                keepers[1],
                asyncio.gather(*(part.started.wait() for part in self.servers)),
            )
            if not stopping.done():
                await self._make_users()
                keepers[0] = [asyncio.create_task(self._keep(part)) for part in self.ours]
                await self._first(stopping, [*keepers[0], *keepers[1]])
        finally:
            stopping.cancel()
            for wave in keepers:  # ours first: they still have something to say to the servers
                for task in wave:
                    task.cancel()
                await asyncio.gather(*wave, return_exceptions=True)

    def kill(self) -> None:
        """End everything at once: the second Ctrl-C."""
        for part in self.parts:
            if part.process is not None and part.process.poll() is None:
                os.killpg(part.process.pid, signal.SIGKILL)

    @property
    def ready(self) -> bool:
        """Whether every part is."""
        return all(part.state is State.READY for part in self.parts)

    async def _first(
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

    async def _keep(self, part: Part) -> None:
        """Start a part, watch it, and start it again when it dies."""
        pause = 1.0
        while True:
            self._say(part, State.STARTING)
            try:
                part.process = await part.start()
            except Trouble as trouble:
                if not part.started.is_set():
                    raise
                self._say(part, State.FAILED, trouble.indonesian)
            else:
                try:
                    if part.process:
                        state_dir.remember(part.name, part.process.pid)
                    born = time.monotonic()
                    await self._watch(part)
                    pause = (
                        1.0
                        if time.monotonic() - born > _LONGEST_PAUSE_SECONDS
                        else min(pause * 2, _LONGEST_PAUSE_SECONDS)
                    )
                finally:
                    if part.process:
                        await asyncio.to_thread(processes.end, part.process)
                        self._say(part, State.STOPPED)
                code = part.process.returncode if part.process else 0
                self._say(
                    part,
                    State.FAILED,
                    f"berhenti sendiri (kode {code}), dimulai lagi dalam {pause:.0f} detik; baca: ./bina logs {part.name}",
                )
            await asyncio.sleep(pause)

    async def _watch(self, part: Part) -> None:
        """Return when the part's process has ended; meanwhile tell whether it is ready."""
        deadline = time.monotonic() + _READY_SECONDS
        asked = 0.0
        while part.process is None or part.process.poll() is None:
            now = time.monotonic()
            if now - asked >= (
                _ASK_SECONDS
                if part.started.is_set() and part.state is State.READY
                else _LOOK_SECONDS / 2
            ):
                asked = now
                if await part.ask():
                    part.started.set()
                    self._say(part, State.READY)
                elif part.state is State.READY:
                    self._say(
                        part, State.NOT_READY, f"tidak menjawab siap; baca: ./bina logs {part.name}"
                    )
                elif part.state is State.STARTING and now > deadline:
                    self._say(
                        part,
                        State.NOT_READY,
                        f"belum siap setelah {_READY_SECONDS:.0f} detik; baca: ./bina logs {part.name}",
                    )
                _trim(state_dir.log_of(part.name))
            await asyncio.sleep(
                _LOOK_SECONDS / 2 if part.state is not State.READY else _LOOK_SECONDS
            )

    async def _make_users(self) -> None:
        for service in topology.OURS:
            password = secrets.mongo_password(self._secrets, service.name)
            secrets.tell_mongo_url(
                self._secrets,
                service.name,
                await mongo_users.make_user(self._mongo_url, service.name, password),
            )

    def _mongod(self) -> Part:
        async def start() -> "Popen[bytes] | None":
            if os.environ.get("BINA_MONGO_URL"):
                return None
            password = secrets.administrator_password(self._secrets)
            running = await mongod.start(
                state_dir.home() / "mongod",
                topology.MONGOD.port,
                password,
                state_dir.log_of("mongod"),
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
        return Part(name="mongod", address=address, start=start, ask=ask)

    def _broker(self) -> Part:
        async def start() -> "Popen[bytes] | None":
            if kafka_login.address():
                return None
            running = await kafka_broker.start(
                state_dir.home() / "kafka",
                topology.KAFKA.port,
                topology.KAFKA_CONTROLLER.port,
                state_dir.log_of("kafka"),
                variable=topology.KAFKA.variable,
                progress=lambda done, total: self._say(
                    part,
                    State.STARTING,
                    f"mengunduh Kafka, sekali saja: {done * 10 // total * 10}% dari {total} berkas",
                ),
            )
            return running.process

        async def ask() -> bool:
            return await http_probe.accepts(self._kafka)

        part = Part(name="kafka", address=self._kafka, start=start, ask=ask)
        return part

    def _service(self, service: topology.Service) -> Part:
        async def start() -> "Popen[bytes]":
            env = {
                name: value for name, value in os.environ.items() if name != "BINA_MONGO_URL"
            } | topology.settings_of(service, state_dir.home(), self._kafka)
            return processes.spawn(
                [sys.executable, "-m", service.module],
                state_dir.log_of(service.name),
                env=env,
                cwd=state_dir.ROOT,
            )

        async def ask() -> bool:
            return (await http_probe.get(service.probe_port, "/readyz"))[0] == 200  # noqa: PLR2004 - the status says it

        return Part(
            name=service.name,
            address=f"http://{platform_checks.LOOPBACK}:{service.listener.port}",
            start=start,
            ask=ask,
        )

    def _say(self, part: Part | None = None, state: State | None = None, advice: str = "") -> None:
        if part is not None and state is not None:
            if (part.state, part.advice) == (state, advice):
                return
            part.state, part.advice = state, advice
        self._changed(self.parts)


def _trim(log: Path) -> None:
    """Keep a log and one before it; whoever writes it appends, so it may be cut while it is written."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
