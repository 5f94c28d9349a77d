"""The on-call server: receives alerts, notifies people, accepts acknowledgements.

Not here: whom to notify, and when (rules).
"""

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
from ops.oncall.incident_store import IncidentStore
from ops.oncall.notifier import NotDelivered, Notifier
from ops.oncall.rules import Firing, Incident, NotificationAttempt, OnCallSchedule

TICK_SECONDS = 1.0
# A group may have an alert for each prison. Alertmanager does not retry a post refused with 4xx.
MAX_BODY_BYTES = 16 * 1024 * 1024
PAGE = (
    '<!doctype html><html lang="id"><meta charset="utf-8"><title>Bina</title>'
    '<meta name="viewport" content="width=device-width"><pre>{}</pre>{}</html>'
)
FORM = (
    '<form method="post" action="/notices/{}/acknowledgement">'
    '<label>Nama / name <input name="by" required maxlength="80"></label> '
    "<button>Saya tangani / I have it</button></form>"
)
log = logging.getLogger("bina.oncall")


def _now() -> datetime:
    return datetime.now(UTC)


class IncidentNotifier:
    """Notifies people of each incident until somebody acknowledges it or it is over."""

    def __init__(
        self,
        schedule: OnCallSchedule,
        store: IncidentStore,
        notifier: Notifier,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.schedule = schedule
        self.store = store
        self._notifier = notifier
        self._clock = clock
        self._last_heard_at = clock()

    def receive(self, firing: Firing) -> None:
        """Apply a post of Alertmanager about one group."""
        known = self.store.incidents.get(firing.key)
        incident = rules.apply_firing(known, firing, self._clock(), secrets.token_urlsafe(16))
        if incident is not None and incident != known:
            self.store.save(incident)

    def receive_watchdog(self) -> None:
        """Record that the watchdog alert arrived."""
        self._last_heard_at = self._clock()
        self.receive(
            Firing(key=rules.WATCHDOG_SILENT, severity="page", alerts={}, runbooks=frozenset())
        )

    def acknowledge(self, incident: Incident, by: str) -> None:
        """Record who handles an incident."""
        self.store.save(rules.acknowledge(incident, by))
        log.info("acknowledged: %s", incident.key)

    async def notify_due(self) -> None:
        """Send every notice that is due now."""
        if rules.is_watchdog_silent(self._last_heard_at, self.schedule, self._clock()):
            self.receive(rules.watchdog_firing(self._last_heard_at))
        for incident in list(self.store.incidents.values()):
            if incident.closing:
                await self._notify_closing(incident)
            else:
                await self._notify_next(incident)

    async def _notify_closing(self, incident: Incident) -> None:
        """Notify one person that the incident is over."""
        await self._notify(incident.closing[0], incident)
        # Meanwhile another incident may have begun under the same key.
        if self.store.incidents[incident.key] == incident:
            self.store.save(replace(incident, closing=incident.closing[1:]))

    async def _notify_next(self, incident: Incident) -> None:
        now = self._clock()
        person = rules.choose_person(incident, self.schedule, now)
        if person is None:
            return
        reached = await self._notify(person, incident)
        attempt = NotificationAttempt(person=person, at=now, reached=reached)
        # Meanwhile it may have been acknowledged or have got another alert.
        current = self.store.incidents[incident.key]
        self.store.save(rules.record_attempt(current, incident, attempt))

    async def _notify(self, person: str, incident: Incident) -> bool:
        """Deliver a notice; return whether it was delivered."""
        # A person who is no longer in the schedule has no address.
        address = self.schedule.people.get(person, "")
        subject, text = rules.write_notice(incident, self.schedule)
        try:
            await self._notifier.send(address, subject, text)
        except NotDelivered as error:
            log.warning("not reached: %s (%s), %s", person, error, incident.key)
            return False
        log.info("notified: %s, %s", person, incident.key)
        return True

    async def run(self) -> None:
        """Notify every TICK_SECONDS until cancelled."""
        while True:
            try:
                await self.notify_due()
            except Exception:
                log.exception("a round of notifications failed; it is repeated")
            await asyncio.sleep(TICK_SECONDS)


class OnCallApi:
    """The HTTP routes for Alertmanager and for people."""

    def __init__(self, notifier: IncidentNotifier) -> None:
        self._notifier = notifier

    def create_application(self) -> web.Application:
        """Return the app, which runs the notifier from its start to its end."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.cleanup_ctx.append(self._run_notifier)
        app.add_routes(
            [
                web.post("/alerts", self._alerts),
                web.post("/watchdog", self._watchdog),
                web.get("/readyz", self._ready),
            ]
        )
        app.add_routes(
            [
                web.get("/notices/{id}", self._notice),
                web.post("/notices/{id}/acknowledgement", self._acknowledge),
            ]
        )
        return app

    async def _run_notifier(self, _app: web.Application) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._notifier.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _alerts(self, request: web.Request) -> web.Response:
        try:
            self._notifier.receive(config.parse_firing(await request.json()))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"wrong": type(error).__name__}, status=400)
        return web.Response(status=204)

    async def _watchdog(self, _request: web.Request) -> web.Response:
        self._notifier.receive_watchdog()
        return web.Response(status=204)

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    async def _notice(self, request: web.Request) -> web.Response:
        incident = self._find_incident(request)
        _, text = rules.write_notice(incident, self._notifier.schedule)
        answer = ""
        if incident.taken_by:
            answer = f"<p>Ditangani oleh / taken by {html.escape(incident.taken_by)}</p>"
        elif not incident.over:
            answer = FORM.format(incident.id)
        headers = {
            "content-security-policy": "default-src 'none'; form-action 'self'",
            "referrer-policy": "no-referrer",
        }
        return web.Response(
            text=PAGE.format(html.escape(text), answer), content_type="text/html", headers=headers
        )

    async def _acknowledge(self, request: web.Request) -> web.Response:
        incident = self._find_incident(request)
        form = await request.post()
        by = str(form.get("by", "")).strip()
        if not by:
            return web.Response(status=422, text="Nama wajib diisi / a name is needed")
        self._notifier.acknowledge(incident, by[:80])
        raise web.HTTPSeeOther(f"/notices/{incident.id}")

    def _find_incident(self, request: web.Request) -> Incident:
        incident = self._notifier.store.find_by_id(request.match_info["id"])
        if incident is None:
            raise web.HTTPNotFound(text="Tidak ditemukan / not found")
        return incident
