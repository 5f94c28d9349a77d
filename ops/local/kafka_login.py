"""How the commands reach Kafka: where, as whom where it asks who comes, and what a person is told when it refuses. Not here: what they do there."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chassis.messaging.kafka import BrokerAccess, KafkaUnavailable, SendFailed
from ops.errors import OperatorError
from ops.local import platform_checks, secret_files, topology
from ops.local.http_probe import accepts

ADDRESS_VARIABLE, USER_VARIABLE, PASSWORD_VARIABLE, CA_VARIABLE = (
    "BINA_KAFKA",
    "BINA_KAFKA_USER",
    "BINA_KAFKA_PASSWORD_FILE",
    "BINA_KAFKA_CA",
)


def configured_address() -> str | None:
    """Where the Kafka is that BINA_KAFKA names; None where the embedded one is meant."""
    return os.environ.get(ADDRESS_VARIABLE) or None


def configured_access() -> BrokerAccess | None:
    """The Kafka that BINA_KAFKA names, and the operator's way into it; None where the embedded one is meant, which asks nobody. OperatorError when what was told cannot be used."""
    if (where := configured_address()) is None:
        return None
    user, password, ca = (
        os.environ.get(USER_VARIABLE, ""),
        secret_files.text_from_variable(PASSWORD_VARIABLE),
        secret_files.file_from_variable(CA_VARIABLE),
    )
    if bool(user) != bool(password):
        missing, there = (
            (PASSWORD_VARIABLE, USER_VARIABLE) if user else (USER_VARIABLE, PASSWORD_VARIABLE)
        )
        raise OperatorError(
            f"{there} ada tetapi {missing} tidak ada atau kosong: sebutkan keduanya.",
            f"{there} is given without {missing}, or that is empty: give both.",
        )
    if ca is not None:
        try:
            ssl.create_default_context(cafile=ca)
        except ssl.SSLError as error:
            raise OperatorError(
                f"{CA_VARIABLE}: {ca} bukan sertifikat PEM.",
                f"{CA_VARIABLE}: {ca} is no PEM certificate.",
            ) from error
    return BrokerAccess(where, user, password, ca)


def running_access() -> BrokerAccess:
    """The Kafka of the system that runs: the one that is named, else the embedded one."""
    return configured_access() or BrokerAccess(f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}")


@asynccontextmanager
async def explaining_refusals(broker_access: BrokerAccess) -> AsyncGenerator[None]:
    """What Kafka refuses while the block lasts is OperatorError that says what to do."""
    try:
        yield
    except (KafkaUnavailable, SendFailed) as error:
        raise await _explain_refusal(broker_access, error) from error


async def _explain_refusal(broker_access: BrokerAccess, error: Exception) -> OperatorError:
    kind = str(error) if isinstance(error, SendFailed) else type(error).__name__
    if "Authorization" in f"{kind} {error}":
        return not_allowed_error(broker_access, kind)
    if not await accepts(broker_access.bootstrap):
        return OperatorError(
            f"Kafka di {broker_access.bootstrap} tidak menjawab: lihat ./bina status.",
            f"Kafka at {broker_access.bootstrap} does not answer ({kind}): see ./bina status.",
        )
    if broker_access.user:  # aiokafka tells a refused login like a broker that is away
        return OperatorError(
            f"Kafka di {broker_access.bootstrap} menolak pengguna {broker_access.user}: periksa {USER_VARIABLE}, isi berkas {PASSWORD_VARIABLE}, dan {CA_VARIABLE} bila sambungannya terenkripsi.",
            f"Kafka at {broker_access.bootstrap} refuses user {broker_access.user} ({kind}): look at {USER_VARIABLE}, at what lies in the file of {PASSWORD_VARIABLE}, and at {CA_VARIABLE} where the line is encrypted.",
        )
    return OperatorError(
        f"Kafka di {broker_access.bootstrap} tidak melayani yang datang tanpa nama: sebutkan {USER_VARIABLE} dan {PASSWORD_VARIABLE}, dan {CA_VARIABLE} bila sambungannya terenkripsi.",
        f"Kafka at {broker_access.bootstrap} serves nobody without a name ({kind}): give {USER_VARIABLE} and {PASSWORD_VARIABLE}, and {CA_VARIABLE} where the line is encrypted.",
    )


def not_allowed_error(broker_access: BrokerAccess, kind: str) -> OperatorError:
    """Kafka knows who comes, and does not let them do this."""
    return OperatorError(
        f"Kafka tidak mengizinkan pengguna {broker_access.user or '(tanpa nama)'} melakukan ini: hak yang diperlukan ada di docs/operations.md.",
        f"Kafka does not let user {broker_access.user or '(nobody)'} do this ({kind}): docs/operations.md lists the permissions that are needed.",
    )
