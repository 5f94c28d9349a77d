"""A process that dies between reserving and issuing a certificate."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, ServiceResources
from tests.fakes import eventually

# Of two processes with one replica id the younger lives on, and the killed one is the older.
KILLED_REPLICA = "1"
PLAIN_SETTINGS = (
    "kafka",
    "trusted_keys",
    "keys_dir",
    "training_url",
    "namespace",
    "mongo_driver",
)
SECRET_SETTINGS = ("mongo_url", "signing_key", "audit_key", "name_key")
FIXED_AT_RESERVATION = (
    "_id",
    "token",
    "subject_id",
    "place",
    "key_name",
    "valid_from",
    "valid_until",
    "sealed_name",
)


@pytest.mark.scenario("C15/kill")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("point", ["reserved", "signed"])
async def test_a_certificate_reserved_before_a_kill_is_signed_as_reserved(
    tmp_path: Path, mongo_url: str, kafka: str, point: str
) -> None:
    """The next process signs and issues it, once."""
    async with ServiceResources.create(tmp_path, mongo_url, kafka) as surroundings:
        async with Harness.start(surroundings) as harness:
            lsp = await LspHarness.create(harness)
            application_id = await lsp.recommend()
        order = killing_order(surroundings, point, lsp, application_id)
        order_file = tmp_path / "order.json"
        order_file.write_text(json.dumps(order))
        await run_until_killed(order_file)

        [reserved] = await read_certificates(surroundings)
        assert (reserved["state"], reserved["sealed_credential"]) == ("reserved", None)

        async with Harness.start(surroundings) as harness:
            lsp.harness = harness
            await lsp.wait_until_issued(reserved["_id"])
            result = await lsp.verify(await lsp.get_credential(reserved["_id"]))
            assert result["status"] == "valid"
            [issued] = await read_certificates(surroundings)
            for name in FIXED_AT_RESERVATION:
                assert issued[name] == reserved[name], name
            await eventually(
                lambda: harness.events_of("certificate-issued", certificate_id=reserved["_id"])
            )
            assert len(await harness.events_of("certificate-issued")) == 1


def killing_order(
    surroundings: ServiceResources, point: str, lsp: LspHarness, application_id: str
) -> Json:
    """Return what the killable process reads."""
    settings = surroundings.settings
    plain = {name: str(getattr(settings, name)) for name in PLAIN_SETTINGS}
    secrets = {name: getattr(settings, name).get_secret_value() for name in SECRET_SETTINGS}
    own = {
        "port": 0,
        "tick_seconds": 1,
        "environment": "development",
        "replica": KILLED_REPLICA,
    }
    return {
        "settings": plain | secrets | own,
        "private": dict(surroundings.keys.private),
        "keys": str(surroundings.keys.directory),
        "point": point,
        "committee": {"subject": "committee", "lsp": lsp.id},
        "sitting": lsp.sitting(application_id),
    }


async def run_until_killed(order_file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.certification.killable_process",
        str(order_file),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await asyncio.wait_for(process.wait(), 300) == -signal.SIGKILL


async def read_certificates(surroundings: ServiceResources) -> list[Json]:
    db = surroundings.connect()
    certificates = await db.find("certificates", {})
    await db.close()
    return certificates
