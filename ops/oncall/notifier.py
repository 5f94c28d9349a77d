"""How a person is reached: by mail, or by an address that takes JSON (a gateway of messages). Not here: who is told, and what."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from typing import Protocol

import aiohttp

from ops.oncall.rules import OnCallSchedule

TIMEOUT_SECONDS = 10.0


class NotDelivered(Exception):
    """The notice could not be handed over."""


class Notifier(Protocol):
    """The port: hands a notice over, or raises NotDelivered."""

    async def send(self, address: str, subject: str, text: str) -> None: ...


class MailOrHttpNotifier:
    """`mailto:` by the oncall's mail server, `http(s):` by a POST of {subject, text}."""

    def __init__(self, schedule: OnCallSchedule) -> None:
        self.schedule = schedule

    async def send(self, address: str, subject: str, text: str) -> None:
        """Hand it over; NotDelivered."""
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
        except (
            OSError,
            smtplib.SMTPException,
            aiohttp.ClientError,
            TimeoutError,
            ValueError,
        ) as error:  # ValueError: an address or a subject that cannot be sent
            raise NotDelivered(type(error).__name__) from None

    def _send_mail(self, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.schedule.mail_from, to, subject
        message.set_content(text)
        host, _, port = self.schedule.mail_server.partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_SECONDS) as server:
            server.send_message(message)
