"""How the commands reach Kafka: address, credentials, and explanations of a refusal.

Not here: what the commands do there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.messaging.kafka_ports import BrokerAccess, SendFailed
from chassis.messaging.kafka_topics import KafkaUnavailable
from ops.errors import OperatorError
from ops.local import platform_checks, secret_files, topology
from ops.local.http_probe import accepts

ADDRESS_VARIABLE = "BINA_KAFKA"
USER_VARIABLE = "BINA_KAFKA_USER"
PASSWORD_VARIABLE = "BINA_KAFKA_PASSWORD_FILE"  # noqa: S105 - the name of a variable
CA_VARIABLE = "BINA_KAFKA_CA"


def configured_address() -> str | None:
    """Return the address in BINA_KAFKA; None for the embedded Kafka."""
    return os.environ.get(ADDRESS_VARIABLE) or None


def configured_access() -> BrokerAccess | None:
    """Return the operator's access to the Kafka in BINA_KAFKA; None for the embedded one.

    Raises OperatorError when a variable is incomplete or names an unusable file.
    """
    address = configured_address()
    if address is None:
        return None
    user = os.environ.get(USER_VARIABLE, "")
    password = secret_files.text_from_variable(PASSWORD_VARIABLE)
    ca = secret_files.file_from_variable(CA_VARIABLE)
    if user and not password:
        raise _missing_credential(USER_VARIABLE, PASSWORD_VARIABLE)
    if password and not user:
        raise _missing_credential(PASSWORD_VARIABLE, USER_VARIABLE)
    if ca is not None:
        _require_certificate(ca)
    return BrokerAccess(address, user, password, ca)


def _missing_credential(present: str, missing: str) -> OperatorError:
    return OperatorError(
        f"{present} ada tetapi {missing} tidak ada atau kosong: sebutkan keduanya.",
        f"{present} is set but {missing} is missing or empty: set both.",
    )


def _require_certificate(ca: Path) -> None:
    try:
        ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise OperatorError(
            f"{CA_VARIABLE}: {ca} bukan sertifikat PEM.",
            f"{CA_VARIABLE}: {ca} is not a PEM certificate.",
        ) from error


def running_access() -> BrokerAccess:
    """Return the access to the configured Kafka, else to the embedded one."""
    return configured_access() or BrokerAccess(f"{platform_checks.LOOPBACK}:{topology.KAFKA.port}")


@asynccontextmanager
async def explaining_refusals(broker_access: BrokerAccess) -> AsyncGenerator[None]:
    """Turn an error of Kafka in the block into an OperatorError that says what to do."""
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
    # aiokafka raises the same error for a refused login and for an absent broker.
    if broker_access.user:
        return OperatorError(
            f"Kafka di {broker_access.bootstrap} menolak pengguna {broker_access.user}: periksa"
            f" {USER_VARIABLE}, isi berkas {PASSWORD_VARIABLE}, dan {CA_VARIABLE} bila"
            " sambungannya terenkripsi.",
            f"Kafka at {broker_access.bootstrap} refuses user {broker_access.user} ({kind}):"
            f" check {USER_VARIABLE}, the file of {PASSWORD_VARIABLE}, and {CA_VARIABLE} if the"
            " connection is encrypted.",
        )
    return OperatorError(
        f"Kafka di {broker_access.bootstrap} tidak melayani yang datang tanpa nama: sebutkan"
        f" {USER_VARIABLE} dan {PASSWORD_VARIABLE}, dan {CA_VARIABLE} bila sambungannya"
        " terenkripsi.",
        f"Kafka at {broker_access.bootstrap} refuses anonymous clients ({kind}): set"
        f" {USER_VARIABLE} and {PASSWORD_VARIABLE}, and {CA_VARIABLE} if the connection is"
        " encrypted.",
    )


def not_allowed_error(broker_access: BrokerAccess, kind: str) -> OperatorError:
    """Return the error for an authenticated user without the permission."""
    return OperatorError(
        f"Kafka tidak mengizinkan pengguna {broker_access.user or '(tanpa nama)'} melakukan"
        " ini: hak yang diperlukan ada di docs/operations.md.",
        f"Kafka does not permit user {broker_access.user or '(anonymous)'} to do this ({kind}):"
        " docs/operations.md lists the needed permissions.",
    )
