"""A process that dies between reserving and issuing: what was reserved is issued by the next one, once, as it was reserved."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from chassis.persistence.mongo import Mongo
from tests.certification.harness import Ground, Json, Lsp, Stage
from tests.fakes import eventually

OTHER = "1"  # the victim's replica: of two processes of one name the younger lives on, and this one is older


@pytest.mark.scenario("C15/kill")
@pytest.mark.parametrize("point", ["reserved", "signed"])
async def test_a_certificate_reserved_by_a_process_that_was_killed_is_signed_by_the_next_one_as_it_was_reserved(
    tmp_path: Path, mongo_url: str, kafka: str, point: str
) -> None:
    async with Ground.laid(tmp_path, mongo_url, kafka) as ground:
        async with Stage.on(ground) as stage:
            lsp = await Lsp.founded(stage)
            application = await lsp.recommended()
        told = {
            "settings": {
                name: str(getattr(ground.settings, name))
                for name in (
                    "kafka",
                    "trusted_keys",
                    "keys_dir",
                    "training_url",
                    "namespace",
                    "mongo_driver",
                )
            }
            | {
                name: getattr(ground.settings, name).get_secret_value()
                for name in ("mongo_url", "signing_key", "audit_key", "name_key")
            }
            | {"port": 0, "tick_seconds": 1, "environment": "development", "replica": OTHER},
            "private": dict(ground.keys.private),
            "keys": str(ground.keys.directory),
            "point": point,
            "committee": {"subject": "committee", "lsp": lsp.id},
            "sitting": lsp.sitting(application),
        }
        (tmp_path / "victim.json").write_text(json.dumps(told))
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.certification.killable_process",
            str(tmp_path / "victim.json"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await asyncio.wait_for(victim.wait(), 60) == -signal.SIGKILL

        reserved = await _certificates(ground)
        assert [(one["state"], one["sealed_credential"]) for one in reserved] == [
            ("reserved", None)
        ]

        async with Stage.on(ground) as stage:
            lsp.stage = stage
            issued = await lsp.issued(reserved[0]["_id"])
            assert (await lsp.verified(await lsp.credential(issued["certificate_id"])))[
                "status"
            ] == "valid"
            after = await _certificates(ground)
            fixed = (
                "_id",
                "token",
                "subject_id",
                "place",
                "key_name",
                "valid_from",
                "valid_until",
                "sealed_name",
            )
            assert [{name: one[name] for name in fixed} for one in after] == [
                {name: one[name] for name in fixed} for one in reserved
            ]
            await eventually(lambda: _heard(stage, reserved[0]["_id"]))
            assert len(stage.told("certificate-issued")) == 1


async def _certificates(ground: Ground) -> list[Json]:
    looking = Mongo(
        ground.settings.mongo_url.get_secret_value(),
        ground.settings.namespace.rstrip("."),
        ground.settings.mongo_driver,
    )
    found = await looking.find("certificates", {})
    await looking.close()
    return found


async def _heard(stage: Stage, certificate_id: str) -> list[Json]:
    return stage.told("certificate-issued", certificate_id=certificate_id)
