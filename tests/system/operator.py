"""An operator who uses the commands of a running system. Not here: tests."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import urllib.error
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka import AIOKafkaProducer

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from ops import cli
from ops.local import platform_checks
from ops.local.topology import KAFKA
from tests.installation import Installation

REASON = "surat tugas 12/2026"
TOPIC = "training.events"


class Operator:
    """Runs commands, and sends requests as any role, at one system."""

    def __init__(self, system: Installation) -> None:
        self.system = system
        self._tokens: dict[str, str] = {}

    def said(self, *arguments: str, locale: str = "id_ID.UTF-8") -> tuple[int, str, str]:
        """Run a command in this process; return its exit status, stdout and stderr.

        Starting an interpreter for each command would take most of the time. Help texts keep the
        language of the import.
        """
        out = io.StringIO()
        err = io.StringIO()
        with (
            patch.dict(os.environ, self.system.env | {"LANG": locale}, clear=True),
            patch.object(sys, "argv", ["bina", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            cli.main()
        return int(ended.value.code or 0), out.getvalue(), err.getvalue()

    def bina(self, *arguments: str, exits: int = 0) -> Any:
        """Run a command and return its one JSON document."""
        code, out, err = self.said(*arguments, "--json")
        assert code == exits, (arguments, out, err)
        return json.loads(out)

    def refused(self, *arguments: str) -> str:
        """Run a command that must fail and return what it prints to stderr."""
        code, out, err = self.said(*arguments, "--json")
        assert (code, out) == (1, ""), out
        return err

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command and return the JSON document of each line."""
        code, out, err = self.said(*arguments, "--json")
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def ask(
        self, role: str, method: str, path: str, body: Any = None, **claims: str
    ) -> tuple[int, Any]:
        """Send a request to the staff host; return status and content."""
        options = [
            part for name, value in claims.items() for part in ("--claim", f"{name}={value}")
        ]
        token = self._tokens.setdefault(
            f"{role}{claims}", self.said("token", "--role", role, *options)[1].strip()
        )
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "if-match": '"1"',
        }
        request = urllib.request.Request(
            f"http://{platform_checks.LOOPBACK}:{self.system.port}{path}",
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def tell(
        self,
        key: str,
        *events: tuple[str, dict[str, Any]],
        without: str = "",
        raw: bytes | None = None,
    ) -> None:
        """Put records into training's topic, as if training had published them.

        `raw` replaces the body of each event.
        """

        async def produce() -> None:
            producer: Any = AIOKafkaProducer(
                bootstrap_servers=f"{platform_checks.LOOPBACK}:{self.system.port + KAFKA.offset}"
            )
            await producer.start()
            try:
                for sequence, (kind, body) in enumerate(events, 1):
                    envelope = Envelope(
                        id=new_id(),
                        type=kind,
                        source="bina/training",
                        key=key,
                        time=utc_now(),
                        sequence=sequence,
                    )
                    headers = [
                        (name, value) for name, value in envelope.headers() if name != without
                    ]
                    await producer.send_and_wait(
                        TOPIC,
                        json.dumps(body).encode() if raw is None else raw,
                        key=key.encode(),
                        headers=headers,
                    )
            finally:
                await producer.stop()

        asyncio.run(produce())

    def waiting(self, key: str) -> dict[str, dict[str, Any]]:
        """Return the parked sequences of a key by service."""
        return {
            one["service"]: one
            for one in self.bina("events", "parked", "list")["sequences"]
            if one["key"] == key
        }

    def open_class(self) -> str:
        """Open a class that takes participants, which publishes `training.class-opened`."""
        facility = f"UJI-{new_id()[-8:].upper()}"
        today = datetime.now(UTC).date()
        place = {
            "facility_id": facility,
            "name": "Lapas Uji",
            "kind": "lapas",
            "time_zone": "Asia/Jakarta",
            "regencies": ["19.02"],
            "mapping": "LP-TJP",
            "live_from": str(today),
        }
        programme = {
            "title": "Las",
            "units": [{"code": "A.1", "title": "Mengelas"}],
            "scheme_ref": "SKEMA-1",
            "lesson_hours": 16,
        }
        assert self.ask("administrator", "POST", "/v1/facilities", place, facility="*")[0] == 201
        status, made = self.ask(
            "training_officer", "POST", "/v1/programmes", programme, facility="*"
        )
        assert status == 201, made
        run = {
            "facility_id": facility,
            "programme_id": made["programme_id"],
            "batch_no": "1",
            "starts_on": str(today),
            "ends_on": str(today + timedelta(days=9)),
            "seats_total": 9,
        }
        status, planned = self.ask("training_officer", "POST", "/v1/classes", run, facility="*")
        assert status == 201, planned
        path = f"/v1/classes/{planned['class_id']}/opening"
        status, opened = self.ask("training_officer", "POST", path, facility="*")
        assert status == 200, opened
        return planned["class_id"]
