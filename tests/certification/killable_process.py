"""A process of certification that is killed while it signs.

The port of the signer is wrapped; no module of the product knows it.
`python -m tests.certification.killable_process FILE` reads {settings, private, keys, point,
committee, sitting} from the file, enters the sitting, and is killed (SIGKILL) at the point
"reserved" or "signed".
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from services.certification.app import create_app
from services.certification.lsps.signer import FileSigner
from services.certification.settings import CertificationSettings
from tests.fakes import Keys, running


class KillingSigner(FileSigner):
    """Kills the process before, or after, it signs a certificate."""

    def __init__(self, directory: Path, point: str) -> None:
        super().__init__(directory)
        self._point = point

    async def sign(self, lsp_id: str, key_name: str, message: bytes) -> bytes:
        is_certificate = key_name.startswith("key-")
        if is_certificate and self._point == "reserved":
            os.kill(os.getpid(), signal.SIGKILL)
        signature = await super().sign(lsp_id, key_name, message)
        if is_certificate:
            os.kill(os.getpid(), signal.SIGKILL)
        return signature


async def main(order: dict[str, Any]) -> None:
    """Enter the sitting and wait for the kill."""
    settings = CertificationSettings(**order["settings"])
    app = create_app(settings, KillingSigner(settings.keys_dir, order["point"]))
    keys = Keys(Path(order["keys"]), order["private"])
    async with running(app, keys, "certification") as client:
        committee = client.as_("committee", **order["committee"])
        await committee.post("/v1/panel-decisions", json=order["sitting"])
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
