"""The protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload) for routes of uploads.

Core, and the extensions creation and expiration. The gateway answers HEAD with the headers of GET.
Not here: how bytes are kept (uploads).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from chassis.errors import DomainError, KeyReused, Malformed
from chassis.files.upload_rules import Upload, UploadState
from chassis.http.problems import on_invalid_request, problem_response
from chassis.texts import TEXTS

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration"
CONTENT_TYPE = "application/offset+octet-stream"
MAX_METADATA = 1000
_NUMBER = re.compile(r"[0-9]{1,15}")
_METADATA_NAME = re.compile(r"[\x21-\x2b\x2d-\x7e]+")


class TusVersionDiffers(DomainError):
    """`Tus-Resumable` is missing, or names another version than 1.0.0."""

    status = 412
    title = TEXTS["errors.tus_version_differs"]
    field = "Tus-Resumable"


class NotOffsetStream(DomainError):
    """A PATCH has another content type than the protocol's."""

    status = 415
    title = TEXTS["errors.not_offset_stream"].format(content_type=CONTENT_TYPE)
    field = "content-type"


@dataclass(frozen=True, slots=True)
class Creation:
    """What a request for a new upload states: its length, and its metadata as sent."""

    length_bytes: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where the bytes of a PATCH begin, and how many are announced (0 = not announced)."""

    offset_bytes: int
    announced_bytes: int


class TusRoute(APIRoute):
    """A route of the protocol: each answer, also a problem, names the version."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which adds the headers."""
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                response = await handle(request)
            except DomainError as error:
                response = problem_response(request, error)
            except RequestValidationError as error:
                response = await on_invalid_request(request, error)
            response.headers["tus-resumable"] = VERSION
            if response.status_code == TusVersionDiffers.status:
                response.headers["tus-version"] = VERSION
                response.headers["tus-extension"] = EXTENSIONS
            return response

        return handle_tus


def read_creation(request: Request) -> Creation:
    """Return what the request states. Raises TusVersionDiffers, Malformed."""
    _require_version(request)
    metadata = request.headers.get("upload-metadata", "")
    if len(metadata) > MAX_METADATA:
        raise Malformed(field="Upload-Metadata")
    return Creation(_read_number(request, "Upload-Length"), metadata)


def read_continuation(request: Request) -> Continuation:
    """Return what a PATCH states. Raises TusVersionDiffers, NotOffsetStream, Malformed."""
    _require_version(request)
    if request.headers.get("content-type", "") != CONTENT_TYPE:
        raise NotOffsetStream
    length = request.headers.get("content-length", "")
    announced_bytes = int(length) if _NUMBER.fullmatch(length) else 0
    return Continuation(_read_number(request, "Upload-Offset"), announced_bytes)


def require_same(creation: Creation, upload: Upload) -> None:
    """Raise KeyReused for a repeated creation that states another file than the first one."""
    if creation != Creation(upload.length_bytes, upload.metadata):
        raise KeyReused


def parse_metadata(header: str) -> dict[str, str]:
    """Return the values of `Upload-Metadata` by name. Raises Malformed."""
    values: dict[str, str] = {}
    for pair in filter(None, header.split(",")):
        name, _, encoded = pair.strip().partition(" ")
        if name in values or not _METADATA_NAME.fullmatch(name):
            raise Malformed(field="Upload-Metadata")
        try:
            values[name] = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            raise Malformed(field="Upload-Metadata") from None
    return values


def set_headers(response: Response, upload: Upload) -> None:
    """Set the headers that describe an upload."""
    response.headers["cache-control"] = "no-store"
    response.headers["upload-offset"] = str(upload.offset_bytes)
    response.headers["upload-length"] = str(upload.length_bytes)
    if upload.metadata:
        response.headers["upload-metadata"] = upload.metadata
    if upload.state is UploadState.OPEN:
        response.headers["upload-expires"] = format_datetime(
            upload.expires_at.astimezone(UTC), usegmt=True
        )


def _require_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise TusVersionDiffers


def _read_number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise Malformed(field=name)
    return int(text)
