"""A service with audited rows, the searches and exports of its audit. Not here: tests."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from chassis.admin import auditor_api, operator_api
from chassis.admin.audit_export import verify
from chassis.app.factory import create_app
from chassis.app.service import Service
from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.jobs.audit_sealer import UNSEALED, AuditSealer
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from tests.changed_archive import copy_changed
from tests.chassis.harness import in_memory
from tests.chassis.sample_service import JarFilled, ShopSettings, Transaction, router
from tests.fakes import AsgiClient, FakeKafka, Keys, running


async def serve_shop(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[AsgiClient]:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings(
            "shop", mongo_url=mongo_url, database=database, kafka=kafka, namespace=f"{new_id()}."
        )
    )
    service = Service(
        name="shop",
        settings=settings,
        transaction=Transaction,
        routers=(router, operator_api.router("shop"), auditor_api.create_router("shop")),
        published=(JarFilled,),
    )
    async with running(
        create_app(service, lifetime=in_memory(FakeKafka())), keys, "shop"
    ) as client:
        yield client


WHY = {"access-reason": "surat tugas 12/2026"}
EXPORT = "/v1/operations/shop/audit/export"


async def searched(
    client: AsgiClient, why: dict[str, str] | None = None, /, **sought: Any
) -> list[dict[str, Any]]:
    """Return all rows of a search, read two to a page."""
    rows: list[dict[str, Any]] = []
    while True:
        answer = await client.get(
            "/v1/operations/shop/audit", params={"limit": 2, **sought}, headers=why
        )
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return rows
        sought["cursor"] = cursor


async def filled(client: AsgiClient, owner: str, room: str, label: str = "") -> str:
    keeper = client.as_("keeper", subject=f"keeper-{room}", facility=room)
    jar = new_id()
    assert (
        await keeper.post(
            "/v1/jars", json={"id": jar, "owner_ref": owner, "room": room, "label": label}
        )
    ).status_code == 201
    assert (await keeper.post(f"/v1/jars/{jar}/fillings", json={"marbles": 2})).status_code == 200
    return jar


# Export over HTTP


class Export:
    """An exported ZIP, its content, and what its own verifier says, run without our code."""

    def __init__(self, directory: Path, content: bytes) -> None:
        self._place = directory
        self.file = directory / f"{new_id()}.zip"
        self.file.write_bytes(content)

    def lines(self, name: str) -> list[dict[str, Any]]:
        with zipfile.ZipFile(self.file) as archive:
            return [json.loads(line) for line in archive.read(name).splitlines()]

    def manifest(self) -> dict[str, Any]:
        with zipfile.ZipFile(self.file) as archive:
            return json.loads(archive.read("manifest.json"))

    def part(self) -> dict[str, Any]:
        return self.manifest()["services"]["shop"]

    def with_(self, name: str, change: Callable[[list[str]], list[str]]) -> Export:
        """Return a copy of the export in which `change` has changed the lines of one file."""
        made = io.BytesIO()
        copy_changed(self.file, made, name, change)
        return Export(self._place, made.getvalue())

    async def checked(self, *fingerprint: str) -> tuple[int, str]:
        script = self._place / "verify.py"
        script.write_text(inspect.getsource(verify))
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            script,
            self.file,
            *fingerprint,
            cwd=self._place,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await run.communicate()
        return run.returncode or 0, said.decode()


async def seal(client: AsgiClient) -> Mongo:
    """Seal all audit rows and return the service's database."""
    life = client.app.state.life
    run: Runner[Any] = Runner(
        life.engine, OperationContext(caller=system("shop"), correlation_id=new_id())
    )
    await AuditSealer("shop", bytes.fromhex(life.service.settings.audit_key.get_secret_value()))(
        run
    )
    assert await life.db.count("audit", UNSEALED) == 0
    return life.db


async def with_text(client: AsgiClient, subject: str, facility: str, text: str) -> dict[str, Any]:
    """Insert a row that holds a text, as an upgrade may have left it."""
    row = {
        "_id": new_id(),
        "at": utc_now(),
        "action": "x",
        "subject": subject,
        "facility": facility,
        "block": None,
        "values": {"label": ["", text]},
        "reason": text,
    }
    await client.app.state.life.db.insert("audit", [row])
    return row


async def exported(
    client: AsgiClient, directory: Path, why: dict[str, str] | None = WHY, /, **sought: str
) -> Export:
    answer = await client.get(EXPORT, params=sought, headers=why)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), (
        answer.text
    )
    return Export(directory, answer.content)
