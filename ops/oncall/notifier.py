"""Delivers notices by mail, or as JSON to an HTTP address (a message gateway).

Not here: recipients and texts (rules).
"""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from typing import Protocol

import aiohttp

from ops.oncall.rules import OnCallSchedule

TIMEOUT_SECONDS = 10.0
# ValueError: a malformed address or subject.
_DELIVERY_ERRORS = (
    OSError,
    smtplib.SMTPException,
    aiohttp.ClientError,
    TimeoutError,
    ValueError,
)


class NotDelivered(Exception):
    """The mail server or the HTTP address did not accept the notice."""


class Notifier(Protocol):
    """The port that delivers a notice. Raises NotDelivered."""

    async def send(self, address: str, subject: str, text: str) -> None: ...


class MailOrHttpNotifier:
    """Delivers to `mailto:` through the schedule's mail server, to `http(s):` by a POST of JSON."""

    def __init__(self, schedule: OnCallSchedule) -> None:
        self.schedule = schedule

    async def send(self, address: str, subject: str, text: str) -> None:
        """Deliver one notice. Raises NotDelivered."""
        try:
            if address.startswith("mailto:"):
                await asyncio.to_thread(
                    self._send_mail, address.removeprefix("mailto:"), subject, text
                )
                return
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as http,
                http.post(address, json={"subject": subject, "text": text}) as answer,
            ):
                answer.raise_for_status()
        except _DELIVERY_ERRORS as error:
            raise NotDelivered(type(error).__name__) from None

    def _send_mail(self, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        message["From"] = self.schedule.mail_from
        message["To"] = to
        message["Subject"] = subject
        message.set_content(text)
        host, _, port = self.schedule.mail_server.partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_SECONDS) as server:
            server.send_message(message)
