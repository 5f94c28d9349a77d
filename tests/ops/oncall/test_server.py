"""The oncall as a running process would do it: Alertmanager's posts in, notices out over HTTP and SMTP, answers taken."""

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
from tests.ops.oncall.factories import PAGE, ROTA


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class People:
    """Everybody's gateway of messages, on a real socket: what each was sent, and who is out of reach."""

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

    async def told(self, *persons: str) -> None:
        """Wait until these were told, in this order, and nobody else."""

        async def so() -> bool:
            return [person for person, _ in self.heard] == list(persons)

        await eventually(so)


@dataclass
class Scene:
    """A oncall that runs, its people, its clock, and a client."""

    people: People
    clock: Clock
    duty: IncidentNotifier
    client: aiohttp.ClientSession
    url: str

    async def post(self, status: str, *fingerprints: str) -> int:
        """What Alertmanager posts of a group; the status of the answer."""
        labels = {"alertname": "ProcessDown", "service": "training", "severity": "page"}
        told = {
            "summary": "training tidak menjawab",
            "summary_en": "training does not answer",
            "runbook": "docs/runbooks/ProcessDown.md",
        }
        alerts = [
            {"status": status, "labels": labels, "annotations": told, "fingerprint": one}
            for one in fingerprints
        ]
        told_of = {
            "version": "4",
            "groupKey": "{}:{ProcessDown}",
            "status": status,
            "alerts": alerts,
        }
        async with self.client.post(
            f"{self.url}/alerts", data=io.BytesIO(json.dumps(told_of).encode())
        ) as answer:
            return answer.status

    async def looked(self) -> None:
        await self.duty.notify_due()

    @property
    def link(self) -> str:
        """Where the last notice says to answer."""
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
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    people, clock = People(), Clock()
    gateway = web.Application()
    gateway.add_routes([web.post("/{person}", people.take)])
    async with served(gateway) as people.url, aiohttp.ClientSession() as client:
        oncall = replace(
            ROTA,
            people={name: f"{people.url}/{name}" for name in ROTA.people},
            silence=timedelta(days=9),
        )
        duty = IncidentNotifier(
            oncall, IncidentStore(tmp_path / "book.json"), MailOrHttpNotifier(oncall), clock
        )
        async with served(OnCallApi(duty).create_application()) as url:
            duty.schedule = replace(oncall, link=url)
            yield Scene(people, clock, duty, client, url)


async def test_an_alert_that_nobody_answers_goes_on_to_the_next_person(scene: Scene) -> None:
    assert await scene.post("firing", "f1") == 204
    await scene.people.told("satu")
    scene.clock.now += timedelta(minutes=16)
    await scene.people.told("satu", "dua")
    scene.clock.now += timedelta(minutes=16)
    await scene.people.told("satu", "dua", "kepala")


async def test_an_alert_that_somebody_has_taken_goes_to_nobody_else(scene: Scene) -> None:
    await scene.post("firing", "f1")
    await scene.people.told("satu")
    async with scene.client.get(scene.link) as page:
        assert "Saya tangani" in await page.text()
    async with scene.client.post(
        f"{scene.link}/acknowledgement", data={"by": "<b>Rina</b>"}
    ) as answer:
        assert "Ditangani oleh / taken by &lt;b&gt;Rina" in await answer.text()
    scene.clock.now += timedelta(days=2)
    await scene.post("firing", "f1")
    for _ in range(3):
        await scene.looked()
    await scene.people.told("satu")


async def test_looking_at_a_notice_is_no_answer_and_an_answer_needs_a_name(scene: Scene) -> None:
    await scene.post("firing", "f1")
    await scene.people.told("satu")
    async with scene.client.get(scene.link):
        pass
    async with scene.client.post(f"{scene.link}/acknowledgement", data={"by": " "}) as answer:
        assert answer.status == 422
    scene.clock.now += timedelta(minutes=16)
    await scene.people.told("satu", "dua")


async def test_who_cannot_be_reached_is_followed_at_once_and_when_it_is_over_those_who_know_hear_it(
    scene: Scene,
) -> None:
    scene.people.away = {"satu"}
    await scene.post("firing", "f1")
    await scene.people.told("dua")
    await scene.post("resolved", "f1")
    await scene.people.told("dua", "dua")
    assert "Sudah selesai" in scene.people.heard[-1][1]


async def test_of_what_came_while_somebody_was_being_told_he_is_told_too(scene: Scene) -> None:
    scene.people.slow = asyncio.Event()
    await scene.post("firing", "f1")
    await scene.people.asked.wait()
    await scene.post("firing", "f1", "f2")
    scene.people.slow.set()
    await scene.people.told("satu", "satu")
    assert scene.people.heard[0][1].count("training does not answer") == 1
    assert scene.people.heard[1][1].count("training does not answer") == 2


async def test_a_restart_goes_on_with_the_next_person_and_those_who_know_hear_the_end(
    tmp_path: Path,
) -> None:
    people, clock, gateway = People(), Clock(), web.Application()
    gateway.add_routes([web.post("/{person}", people.take)])
    async with served(gateway) as people.url:
        oncall = replace(
            ROTA,
            people={name: f"{people.url}/{name}" for name in ROTA.people},
            silence=timedelta(days=9),
        )

        def started(on_duty: OnCallSchedule = oncall) -> IncidentNotifier:
            return IncidentNotifier(
                on_duty, IncidentStore(tmp_path / "book.json"), MailOrHttpNotifier(on_duty), clock
            )

        started().receive(PAGE)
        await started().notify_due()
        await started().notify_due()
        clock.now += timedelta(minutes=16)
        await started().notify_due()
        started().receive(replace(PAGE, alerts={}))
        left = replace(
            oncall,
            people={name: address for name, address in oncall.people.items() if name != "satu"},
        )
        await started(left).notify_due()
        await started(left).notify_due()
    assert [person for person, _ in people.heard] == ["satu", "dua", "dua"]
    assert "Sudah selesai" in people.heard[-1][1]


async def test_one_that_cannot_be_told_does_not_keep_the_others_from_being_told(
    scene: Scene,
) -> None:
    scene.duty.schedule = replace(
        scene.duty.schedule,
        people=dict(scene.duty.schedule.people) | {"satu": "http://[", "dua": "mailto:dua\n@x"},
    )
    await scene.post("firing", "f1")
    await scene.people.told("kepala")


async def test_a_group_with_an_alert_for_each_of_thousands_is_taken(scene: Scene) -> None:
    assert await scene.post("firing", *(f"{number:0400}" for number in range(3_000))) == 204


async def test_a_watch_that_falls_silent_is_told_and_speaks_again(scene: Scene) -> None:
    scene.duty.schedule = replace(scene.duty.schedule, silence=timedelta(minutes=5))
    scene.clock.now += timedelta(minutes=6)
    await scene.people.told("satu")
    assert "Pengawasan diam" in scene.people.heard[0][1]
    async with scene.client.post(f"{scene.url}/watchdog", json={}) as answer:
        assert answer.status == 204
    await scene.people.told("satu", "satu")


async def test_what_is_no_post_of_alertmanager_is_refused(scene: Scene) -> None:
    for body in ("{}", '{"groupKey": "g", "alerts": [{"status": "firing"}]}', "[]", '"x"', "{"):
        async with scene.client.post(f"{scene.url}/alerts", data=body) as answer:
            assert answer.status == 400
    async with scene.client.get(f"{scene.url}/notices/{'x' * 22}") as answer:
        assert answer.status == 404


async def test_a_notice_goes_by_mail_and_a_mail_server_that_is_away_is_told() -> None:
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
        replace(ROTA, mail_server=f"127.0.0.1:{port}", mail_from="bina@bina.example")
    )
    await reaching.send("mailto:piket@bina.example", "[Bina page] training tidak menjawab", "isi")
    server.close()
    await server.wait_closed()
    assert "To: piket@bina.example" in mails[0]
    assert "Subject: [Bina page] training tidak menjawab" in mails[0]
    with pytest.raises(NotDelivered):
        await reaching.send("mailto:piket@bina.example", "x", "y")
