"""How the commands reach Kafka: where, as whom where it asks who comes, and what a person is told when it refuses. Not here: what they do there."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chassis.messaging.kafka import Access, KafkaUnavailable, SendFailed
from ops.errors import Trouble
from ops.local import platform_checks, secret_files, topology
from ops.local.http_probe import accepts

ADDRESS, USER, PASSWORD, CA = (
    "BINA_KAFKA",
    "BINA_KAFKA_USER",
    "BINA_KAFKA_PASSWORD_FILE",
    "BINA_KAFKA_CA",
)


def address() -> str | None:
    """Where the Kafka is that BINA_KAFKA names; None where the embedded one is meant."""
    return os.environ.get(ADDRESS) or None


def named() -> Access | None:
    """The Kafka that BINA_KAFKA names, and the operator's way into it; None where the embedded one is meant, which asks nobody. Trouble when what was told cannot be used."""
    if (where := address()) is None:
        return None
    user, password, ca = (
        os.environ.get(USER, ""),
        secret_files.told(PASSWORD),
        secret_files.named(CA),
    )
    if bool(user) != bool(password):
        missing, there = (PASSWORD, USER) if user else (USER, PASSWORD)
        raise Trouble(
            f"{there} ada tetapi {missing} tidak ada atau kosong: sebutkan keduanya.",
            f"{there} is given without {missing}, or that is empty: give both.",
        )
    if ca is not None:
        try:
            ssl.create_default_context(cafile=ca)
        except ssl.SSLError as error:
            raise Trouble(
                f"{CA}: {ca} bukan sertifikat PEM.", f"{CA}: {ca} is no PEM certificate."
            ) from error
    return Access(where, user, password, ca)


def running() -> Access:
    """The Kafka of the system that runs: the one that is named, else the embedded one."""
    return named() or Access(f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}")


@asynccontextmanager
async def asking(where: Access) -> AsyncGenerator[None]:
    """What Kafka refuses while the block lasts is Trouble that says what to do."""
    try:
        yield
    except (KafkaUnavailable, SendFailed) as error:
        raise await _trouble(where, error) from error


async def _trouble(where: Access, error: Exception) -> Trouble:
    kind = str(error) if isinstance(error, SendFailed) else type(error).__name__
    if "Authorization" in f"{kind} {error}":
        return not_allowed(where, kind)
    if not await accepts(where.bootstrap):
        return Trouble(
            f"Kafka di {where.bootstrap} tidak menjawab: lihat ./bina status.",
            f"Kafka at {where.bootstrap} does not answer ({kind}): see ./bina status.",
        )
    if where.user:  # aiokafka tells a refused login like a broker that is away
        return Trouble(
            f"Kafka di {where.bootstrap} menolak pengguna {where.user}: periksa {USER}, isi berkas {PASSWORD}, dan {CA} bila sambungannya terenkripsi.",
            f"Kafka at {where.bootstrap} refuses user {where.user} ({kind}): look at {USER}, at what lies in the file of {PASSWORD}, and at {CA} where the line is encrypted.",
        )
    return Trouble(
        f"Kafka di {where.bootstrap} tidak melayani yang datang tanpa nama: sebutkan {USER} dan {PASSWORD}, dan {CA} bila sambungannya terenkripsi.",
        f"Kafka at {where.bootstrap} serves nobody without a name ({kind}): give {USER} and {PASSWORD}, and {CA} where the line is encrypted.",
    )


def not_allowed(where: Access, kind: str) -> Trouble:
    """Kafka knows who comes, and does not let them do this."""
    return Trouble(
        f"Kafka tidak mengizinkan pengguna {where.user or '(tanpa nama)'} melakukan ini: hak yang diperlukan ada di docs/operations.md.",
        f"Kafka does not let user {where.user or '(nobody)'} do this ({kind}): docs/operations.md lists the permissions that are needed.",
    )
