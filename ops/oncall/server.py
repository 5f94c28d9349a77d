"""The rota as a process: hears Alertmanager, tells people, takes their answer. Not here: what is decided (rules)."""

from __future__ import annotations

import asyncio
import html
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from ops.oncall import config, rules
from ops.oncall.incident_store import Book
from ops.oncall.notifier import Notifier, NotReached
from ops.oncall.rules import Firing, Incident, Rota, Told

TICK_SECONDS = 1.0
MOST_BYTES = (
    16 * 1024 * 1024
)  # of a post: a group may hold an alert for each prison, and what is refused Alertmanager does not send again
PAGE = """<!doctype html><html lang="id"><meta charset="utf-8"><title>Bina</title><meta name="viewport" content="width=device-width"><pre>{}</pre>{}</html>"""
FORM = '<form method="post" action="/notices/{}/acknowledgement"><label>Nama / name <input name="by" required maxlength="80"></label> <button>Saya tangani / I have it</button></form>'
log = logging.getLogger("bina.rota")


def _now() -> datetime:
    return datetime.now(UTC)


class Duty:
    """Keeps incidents, and tells of them until somebody has them."""

    def __init__(
        self, rota: Rota, book: Book, notifier: Notifier, clock: Callable[[], datetime] = _now
    ) -> None:
        self.rota, self.book, self._notifier, self._clock = rota, book, notifier, clock
        self._heard = clock()

    def hear(self, firing: Firing) -> None:
        """News of a group."""
        known = self.book.incidents.get(firing.key)
        incident = rules.after(known, firing, self._clock(), secrets.token_urlsafe(16))
        if incident is not None and incident != known:
            self.book.put(incident)

    def alive(self) -> None:
        """The watch was heard."""
        self._heard = self._clock()
        self.hear(
            Firing(key=rules.WATCHDOG_SILENT, severity="page", alerts={}, runbooks=frozenset())
        )

    def take(self, incident: Incident, by: str) -> None:
        """Somebody has it."""
        self.book.put(rules.taken(incident, by))
        log.info("taken: %s", incident.key)

    async def look(self) -> None:
        """Tell whoever is to be told now."""
        if rules.is_silent(self._heard, self.rota, self._clock()):
            self.hear(rules.silence(self._heard))
        for incident in list(self.book.incidents.values()):
            if incident.closing:
                await self._try(incident.closing[0], incident)
                if (
                    self.book.incidents[incident.key] == incident
                ):  # else it fires again, as another one
                    self.book.put(replace(incident, closing=incident.closing[1:]))
            elif person := rules.next_to_tell(incident, self.rota, at := self._clock()):
                reached = await self._try(person, incident)
                now = self.book.incidents[
                    incident.key
                ]  # it may have been taken, or have grown, meanwhile
                self.book.put(
                    rules.attempted(now, incident, Told(person=person, at=at, reached=reached))
                )

    async def _try(self, person: str, incident: Incident) -> bool:
        try:
            await self._notifier.send(
                self.rota.people.get(person, ""), *rules.notice(incident, self.rota)
            )  # "": he was told by a rota that he has left
        except NotReached as error:
            log.warning("not reached: %s (%s), %s", person, error, incident.key)
            return False
        log.info("told: %s, %s", person, incident.key)
        return True

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("the look failed, the next one comes")
            await asyncio.sleep(TICK_SECONDS)


class Doors:
    """The HTTP side: what Alertmanager and people ask."""

    def __init__(self, duty: Duty) -> None:
        self._duty = duty

    def application(self) -> web.Application:
        """The app, with the looking in its life."""
        made = web.Application(client_max_size=MOST_BYTES)
        made.cleanup_ctx.append(self._looking)
        made.add_routes(
            [
                web.post("/alerts", self._alerts),
                web.post("/watchdog", self._watchdog),
                web.get("/readyz", self._ready),
            ]
        )
        made.add_routes(
            [
                web.get("/notices/{id}", self._notice),
                web.post("/notices/{id}/acknowledgement", self._acknowledge),
            ]
        )
        return made

    async def _looking(self, _app: web.Application) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._duty.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _alerts(self, request: web.Request) -> web.Response:
        try:
            self._duty.hear(config.firing(await request.json()))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"wrong": type(error).__name__}, status=400)
        return web.Response(status=204)

    async def _watchdog(self, _request: web.Request) -> web.Response:
        self._duty.alive()
        return web.Response(status=204)

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    async def _notice(self, request: web.Request) -> web.Response:
        incident = self._known(request)
        _, text = rules.notice(incident, self._duty.rota)
        answer = (
            f"<p>Ditangani oleh / taken by {html.escape(incident.taken_by)}</p>"
            if incident.taken_by
            else ""
            if incident.over
            else FORM.format(incident.id)
        )
        headers = {
            "content-security-policy": "default-src 'none'; form-action 'self'",
            "referrer-policy": "no-referrer",
        }
        return web.Response(
            text=PAGE.format(html.escape(text), answer), content_type="text/html", headers=headers
        )

    async def _acknowledge(self, request: web.Request) -> web.Response:
        incident, by = self._known(request), str((await request.post()).get("by", "")).strip()
        if not by:
            return web.Response(status=422, text="Nama wajib diisi / a name is needed")
        self._duty.take(incident, by[:80])
        raise web.HTTPSeeOther(f"/notices/{incident.id}")

    def _known(self, request: web.Request) -> Incident:
        incident = self._duty.book.of(request.match_info["id"])
        if incident is None:
            raise web.HTTPNotFound(text="Tidak ditemukan / not found")
        return incident
