"""A resumable upload through the gateway goes on after training is killed in a request."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse

import pytest

from chassis.files.upload_rules import PART_BYTES
from ops.local import platform_checks
from tests.installation import Installation, eventually
from tests.system.operator import Operator

pytestmark = pytest.mark.timeout(400)
FACILITY = "UJI-UNGGAH"
TAKEN_AT = "2026-11-16T14:00:00+07:00"
LINE = b"12345;Nama Uji Coba;tanpa kolom yang dikenal\n"
# without the columns of the mapping: the list is set aside, and nothing waits to be applied
LIST = b"No;Nama;Ket\n" + LINE * (3 * PART_BYTES // len(LINE))
SENT = 2 * PART_BYTES + 1000


class Uploader:
    """A registry operator's client of tus at the staff host."""

    def __init__(self, system: Installation) -> None:
        self.system = system
        claim = f"facility={FACILITY}"
        token = Operator(system).said("token", "--role", "registry_operator", "--claim", claim)[1]
        self.headers = {"authorization": f"Bearer {token.strip()}", "tus-resumable": "1.0.0"}

    def connect(self) -> HTTPConnection:
        return HTTPConnection(platform_checks.LOOPBACK, self.system.port, timeout=60)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connect()) as connection:
            connection.request(method, path, body or None, self.headers | named)
            answer = connection.getresponse()
            return answer, answer.read()

    def begin(self) -> str:
        metadata = f"taken_at {b64encode(TAKEN_AT.encode()).decode()}"
        path = f"/v1/facilities/{FACILITY}/snapshot-uploads"
        answer, body = self.ask(
            "POST", path, upload_length=str(len(LIST)), upload_metadata=metadata
        )
        assert answer.status == 201, body
        return answer.headers["location"]

    def send(self, path: str, offset: int, data: bytes) -> HTTPResponse:
        answer, _ = self.ask(
            "PATCH",
            path,
            data,
            upload_offset=str(offset),
            content_type="application/offset+octet-stream",
        )
        return answer

    def begin_sending(self, path: str, announced: int, data: bytes) -> HTTPConnection:
        """Send the first bytes of a longer body, and return the open connection."""
        connection = self.connect()
        connection.putrequest("PATCH", path)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.putheader("upload-offset", "0")
        connection.putheader("content-type", "application/offset+octet-stream")
        connection.putheader("content-length", str(announced))
        connection.endheaders()
        connection.send(data)
        return connection

    def offset(self, path: str) -> int:
        """Return the stored length; -1 while the service is away."""
        try:
            answer, body = self.ask("HEAD", path)
        except (OSError, HTTPException):
            return -1
        assert body == b""
        return int(answer.headers.get("upload-offset", -1))


def training_pid(system: Installation) -> int:
    return json.loads((system.home / "run/training.pid").read_text())["pid"]


def test_an_upload_goes_on_after_training_was_killed(system: Installation) -> None:
    created, problem = Operator(system).ask(
        "administrator",
        "POST",
        "/v1/facilities",
        {
            "facility_id": FACILITY,
            "name": "UPT Uji Unggah",
            "kind": "lapas",
            "time_zone": "Asia/Jakarta",
            "regencies": ["19.02"],
            "mapping": "LP-TJP",
        },
        facility="*",
    )
    assert created == 201, problem
    uploader = Uploader(system)
    path = uploader.begin()
    connection = uploader.begin_sending(path, len(LIST), LIST[:SENT])
    eventually(lambda: uploader.offset(path) == 2 * PART_BYTES)
    killed = training_pid(system)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: training_pid(system) != killed and uploader.offset(path) >= 0)
    connection.close()
    offset = uploader.offset(path)
    assert offset == 2 * PART_BYTES
    assert uploader.send(path, 0, b"x").status == 409
    last = uploader.send(path, offset, LIST[offset:])
    assert (last.status, last.headers["upload-offset"]) == (204, str(len(LIST)))
    assert last.headers["tus-resumable"] == "1.0.0"
    answer, shown = uploader.ask("GET", path)
    snapshot = json.loads(shown)["snapshot"]
    assert last.headers["link"] == f'</v1/snapshots/{snapshot["snapshot_id"]}>; rel="related"'
    assert snapshot["checksum"] == hashlib.sha256(LIST).hexdigest()
    assert (answer.status, snapshot["state"]) == (200, "QUARANTINED")
