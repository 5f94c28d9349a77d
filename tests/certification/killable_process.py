"""A process of certification that is killed while it signs: the signer's port is wrapped, no module of the product knows it.

`python -m tests.certification.killable_process FILE` reads {settings, private, keys, point, committee, sitting}: it enters the sitting and is killed (SIGKILL) at "reserved" or "signed".
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
        if key_name.startswith("key-") and self._point == "reserved":
            os.kill(os.getpid(), signal.SIGKILL)
        signature = await super().sign(lsp_id, key_name, message)
        if key_name.startswith("key-"):
            os.kill(os.getpid(), signal.SIGKILL)
        return signature


async def main(told: dict[str, Any]) -> None:
    settings = CertificationSettings(**told["settings"])
    app = create_app(settings, KillingSigner(settings.keys_dir, told["point"]))
    async with running(app, Keys(Path(told["keys"]), told["private"]), "certification") as client:
        await client.as_("committee", **told["committee"]).post(
            "/v1/panel-decisions", json=told["sitting"]
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
