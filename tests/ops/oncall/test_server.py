"""The on-call server over HTTP and SMTP: posts of Alertmanager, notices, acknowledgements."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ops.oncall.incident_store import IncidentStore
from ops.oncall.notifier import MailOrHttpNotifier, NotDelivered
from ops.oncall.rules import OnCallSchedule
from ops.oncall.server import IncidentNotifier, OnCallApi
from tests.fakes import eventually
from tests.ops.oncall.factories import PAGE, SCHEDULE


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class People:
    """Message gateways of all people on one socket: what each received, who is unreachable."""

    heard: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    away: set[str] = field(default_factory=set[str])
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    slow: asyncio.Event | None = None
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        person = request.match_info["person"]
        self.asked.set()
        if self.slow is not None:
            await self.slow.wait()
        if person in self.away:
            return web.Response(status=503)
        self.heard.append((person, (await request.json())["text"]))
        return web.Response(status=202)

    async def notified(self, *persons: str) -> None:
        """Wait until exactly these people were notified, in this order."""

        async def is_so() -> bool:
            return [person for person, _ in self.heard] == list(persons)

        await eventually(is_so)


@dataclass
class Harness:
    """A running on-call server with its people, clock and client."""

    people: People
    clock: Clock
    notifier: IncidentNotifier
    client: aiohttp.ClientSession
    url: str

    async def post(self, status: str, *fingerprints: str) -> int:
        """Post a group as Alertmanager does; return the status of the answer."""
        labels = {"alertname": "ProcessDown", "service": "training", "severity": "page"}
        annotations = {
            "summary": "training tidak menjawab",
            "summary_en": "training does not answer",
            "runbook": "docs/runbooks/ProcessDown.md",
        }
        alerts = [
            {"status": status, "labels": labels, "annotations": annotations, "fingerprint": one}
            for one in fingerprints
        ]
        body = {
            "version": "4",
            "groupKey": "{}:{ProcessDown}",
            "status": status,
            "alerts": alerts,
        }
        async with self.client.post(
            f"{self.url}/alerts", data=io.BytesIO(json.dumps(body).encode())
        ) as answer:
            return answer.status

    async def notify_due(self) -> None:
        await self.notifier.notify_due()

    @property
    def link(self) -> str:
        """The link in the last notification."""
        return self.people.heard[-1][1].rpartition(": ")[2]


@asynccontextmanager
async def served(app: web.Application) -> AsyncGenerator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncGenerator[Harness]:
    people = People()
    clock = Clock()
    gateway = web.Application()
    gateway.add_routes([web.post("/{person}", people.take)])
    async with served(gateway) as people.url, aiohttp.ClientSession() as client:
        schedule = replace(
            SCHEDULE,
            people={name: f"{people.url}/{name}" for name in SCHEDULE.people},
            watchdog_timeout=timedelta(days=9),
        )
        notifier = IncidentNotifier(
            schedule, IncidentStore(tmp_path / "book.json"), MailOrHttpNotifier(schedule), clock
        )
        async with served(OnCallApi(notifier).create_application()) as url:
            notifier.schedule = replace(schedule, link=url)
            yield Harness(people, clock, notifier, client, url)


async def test_an_alert_that_nobody_answers_goes_on_to_the_next_person(harness: Harness) -> None:
    assert await harness.post("firing", "f1") == 204
    await harness.people.notified("satu")
    harness.clock.now += timedelta(minutes=16)
    await harness.people.notified("satu", "dua")
    harness.clock.now += timedelta(minutes=16)
    await harness.people.notified("satu", "dua", "kepala")


async def test_an_acknowledged_alert_goes_to_nobody_else(harness: Harness) -> None:
    await harness.post("firing", "f1")
    await harness.people.notified("satu")
    async with harness.client.get(harness.link) as page:
        assert "Saya tangani" in await page.text()
    async with harness.client.post(
        f"{harness.link}/acknowledgement", data={"by": "<b>Rina</b>"}
    ) as answer:
        assert "Ditangani oleh / taken by &lt;b&gt;Rina" in await answer.text()
    harness.clock.now += timedelta(days=2)
    await harness.post("firing", "f1")
    for _ in range(3):
        await harness.notify_due()
    await harness.people.notified("satu")


async def test_reading_a_notice_acknowledges_nothing_and_a_name_is_needed(harness: Harness) -> None:
    await harness.post("firing", "f1")
    await harness.people.notified("satu")
    async with harness.client.get(harness.link):
        pass
    async with harness.client.post(f"{harness.link}/acknowledgement", data={"by": " "}) as answer:
        assert answer.status == 422
    harness.clock.now += timedelta(minutes=16)
    await harness.people.notified("satu", "dua")


async def test_an_unreachable_person_is_skipped_and_the_end_is_announced(
    harness: Harness,
) -> None:
    harness.people.away = {"satu"}
    await harness.post("firing", "f1")
    await harness.people.notified("dua")
    await harness.post("resolved", "f1")
    await harness.people.notified("dua", "dua")
    assert "Sudah selesai" in harness.people.heard[-1][1]


async def test_an_alert_that_came_during_a_notification_is_notified_too(harness: Harness) -> None:
    harness.people.slow = asyncio.Event()
    await harness.post("firing", "f1")
    await harness.people.asked.wait()
    await harness.post("firing", "f1", "f2")
    harness.people.slow.set()
    await harness.people.notified("satu", "satu")
    assert harness.people.heard[0][1].count("training does not answer") == 1
    assert harness.people.heard[1][1].count("training does not answer") == 2


async def test_a_restart_continues_the_escalation_and_announces_the_end(
    tmp_path: Path,
) -> None:
    people = People()
    clock = Clock()
    gateway = web.Application()
    gateway.add_routes([web.post("/{person}", people.take)])
    async with served(gateway) as people.url:
        schedule = replace(
            SCHEDULE,
            people={name: f"{people.url}/{name}" for name in SCHEDULE.people},
            watchdog_timeout=timedelta(days=9),
        )

        def started(in_force: OnCallSchedule = schedule) -> IncidentNotifier:
            return IncidentNotifier(
                in_force,
                IncidentStore(tmp_path / "book.json"),
                MailOrHttpNotifier(in_force),
                clock,
            )

        started().receive(PAGE)
        await started().notify_due()
        await started().notify_due()
        clock.now += timedelta(minutes=16)
        await started().notify_due()
        started().receive(replace(PAGE, alerts={}))
        left = replace(
            schedule,
            people={name: address for name, address in schedule.people.items() if name != "satu"},
        )
        await started(left).notify_due()
        await started(left).notify_due()
    assert [person for person, _ in people.heard] == ["satu", "dua", "dua"]
    assert "Sudah selesai" in people.heard[-1][1]


async def test_a_failing_incident_does_not_stop_the_others(
    harness: Harness,
) -> None:
    harness.notifier.schedule = replace(
        harness.notifier.schedule,
        people=dict(harness.notifier.schedule.people)
        | {"satu": "http://[", "dua": "mailto:dua\n@x"},
    )
    await harness.post("firing", "f1")
    await harness.people.notified("kepala")


async def test_a_group_with_thousands_of_alerts_is_accepted(harness: Harness) -> None:
    assert await harness.post("firing", *(f"{number:0400}" for number in range(3_000))) == 204


async def test_a_silent_watchdog_is_an_incident_until_it_returns(harness: Harness) -> None:
    harness.notifier.schedule = replace(
        harness.notifier.schedule, watchdog_timeout=timedelta(minutes=5)
    )
    harness.clock.now += timedelta(minutes=6)
    await harness.people.notified("satu")
    assert "Pengawasan diam" in harness.people.heard[0][1]
    async with harness.client.post(f"{harness.url}/watchdog", json={}) as answer:
        assert answer.status == 204
    await harness.people.notified("satu", "satu")


async def test_a_body_that_is_no_webhook_is_refused(harness: Harness) -> None:
    for body in ("{}", '{"groupKey": "g", "alerts": [{"status": "firing"}]}', "[]", '"x"', "{"):
        async with harness.client.post(f"{harness.url}/alerts", data=body) as answer:
            assert answer.status == 400
    async with harness.client.get(f"{harness.url}/notices/{'x' * 22}") as answer:
        assert answer.status == 404


async def test_a_notice_is_mailed_and_an_absent_server_is_not_delivered() -> None:
    mails: list[str] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode():
            word = line.split()[0].upper()
            if word == "DATA":
                writer.write(b"354 go on\r\n")
                mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
            await writer.drain()
            if word == "QUIT":
                break
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port: Any = server.sockets[0].getsockname()[1]
    reaching = MailOrHttpNotifier(
        replace(SCHEDULE, mail_server=f"127.0.0.1:{port}", mail_from="bina@bina.example")
    )
    await reaching.send("mailto:piket@bina.example", "[Bina page] training tidak menjawab", "isi")
    server.close()
    await server.wait_closed()
    assert "To: piket@bina.example" in mails[0]
    assert "Subject: [Bina page] training tidak menjawab" in mails[0]
    with pytest.raises(NotDelivered):
        await reaching.send("mailto:piket@bina.example", "x", "y")
