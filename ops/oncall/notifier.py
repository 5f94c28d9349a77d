"""How a person is reached: by mail, or by an address that takes JSON (a gateway of messages). Not here: who is told, and what."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from typing import Protocol

import aiohttp

from ops.oncall.rules import Rota

SECONDS = 10.0


class NotReached(Exception):
    """The notice could not be handed over."""


class Notifier(Protocol):
    """The port: hands a notice over, or raises NotReached."""

    async def send(self, address: str, subject: str, text: str) -> None: ...


class Reaching:
    """`mailto:` by the rota's mail server, `http(s):` by a POST of {subject, text}."""

    def __init__(self, rota: Rota) -> None:
        self.rota = rota

    async def send(self, address: str, subject: str, text: str) -> None:
        """Hand it over; NotReached."""
        try:
            if address.startswith("mailto:"):
                await asyncio.to_thread(self._mail, address.removeprefix("mailto:"), subject, text)
                return
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as http,
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
            raise NotReached(type(error).__name__) from None

    def _mail(self, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.rota.mail_from, to, subject
        message.set_content(text)
        host, _, port = self.rota.mail_server.partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=SECONDS) as server:
            server.send_message(message)
