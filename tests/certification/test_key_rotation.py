"""The name key is replaced: every name, document, paper and list key follows it."""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from chassis.jobs import key_rotation
from chassis.jobs.key_rotation import KeysMissing
from chassis.persistence.mongo import Mongo, updating
from services.certification.app import create_app
from services.certification.applications.usecases import name_context
from services.certification.certificates.usecases import credential_context, paper_context
from services.certification.statuslists.usecases import key_context
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, ServiceResources
from tests.fakes import eventually

NEW_KEY = SecretStr("33" * 32)
# The paths of the values in each collection.
VALUES = {
    "applications": ["name.sealed"],
    "certificates": ["sealed_name", "sealed_credential"],
    "papers": ["sealed"],
    "epochs": ["revocation.sealed_key", "suspension.sealed_key"],
}


def former_form(key: bytes, text: str, context: str) -> str:
    """Encrypt a text as certification did before data keys were wrapped."""
    nonce = os.urandom(12)
    encrypted = nonce + AESGCM(key).encrypt(nonce, text.encode(), context.encode())
    return f"{sha256(b'key name' + key).hexdigest()[:8]}.{b64encode(encrypted).decode()}"


def value_at(document: Json, path: str) -> str:
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value


def context_of(path: str, document: Json) -> str:
    match path:
        case "name.sealed":
            return name_context(document["_id"])
        case "sealed_name":
            return name_context(document["application_id"])
        case "sealed_credential":
            return credential_context(document["_id"])
        case "sealed":
            return paper_context(document["_id"])
        case _:
            return key_context(document[path.partition(".")[0]]["list_id"])


async def store_in_former_form(harness: Harness) -> None:
    """Rewrite every stored value into the former form, under the same key."""
    cipher = harness.client.app.state.cipher
    key = bytes.fromhex(harness.settings.name_key.get_secret_value())
    db: Mongo = harness.client.app.state.life.db
    for collection, paths in VALUES.items():
        for document in await db.find(collection, {}):
            for path in paths:
                context = context_of(path, document)
                text = cipher.decrypt_text(value_at(document, path), context)
                changed = {"$set": {path: former_form(key, text, context)}}
                await db.bulk(collection, [updating(document["_id"], changed)])


async def read_values(harness: Harness) -> list[str]:
    return [
        value_at(document, path)
        for collection, paths in VALUES.items()
        for document in await harness.stored(collection)
        for path in paths
    ]


async def refuse_start(surroundings: ServiceResources) -> str:
    life = create_app(surroundings.settings).state.life
    try:
        with pytest.raises(KeysMissing) as refused:
            await life.prepare()
    finally:
        await life.db.close()
    return str(refused.value)


@pytest.mark.timeout(300)
async def test_a_certificate_survives_the_replacement_of_the_name_key(
    tmp_path: Path, mongo_url: str, kafka: str
) -> None:
    async with ServiceResources.create(tmp_path, mongo_url, kafka) as surroundings:
        async with Harness.start(surroundings) as harness:
            lsp = await LspHarness.create(harness)
            certificate = await lsp.issue_certificate()
            paper = await lsp.download_paper(certificate)
            credential = await lsp.get_credential(certificate["certificate_id"])
            await store_in_former_form(harness)
            assert await lsp.download_paper(certificate) == paper
            values = await read_values(harness)

        old = surroundings.settings
        rotated = old.model_copy(update={"name_key": NEW_KEY})
        surroundings.settings = rotated
        said = await refuse_start(surroundings)
        assert f"{len(values)} stored values need the key" in said
        assert "certification_former_name_key" in said

        surroundings.settings = rotated.model_copy(update={"former_name_key": old.name_key})
        async with Harness.start(surroundings) as harness:
            life = harness.client.app.state.life

            async def is_rotated() -> bool:
                rotation = (await life.status())["key_rotation"]
                return rotation["finished_at"] is not None and rotation["left"] == 0

            await eventually(is_rotated)
            ring = harness.client.app.state.cipher.ring
            renewed = await read_values(harness)
            assert {value.partition(".")[0] for value in renewed} == {ring.key_id}
            assert len(renewed) == len(values)
            rows = await harness.stored("audit", action=key_rotation.ACTION)
            assert {row["subject"] for row in rows} == VALUES.keys()

        surroundings.settings = rotated
        async with Harness.start(surroundings) as harness:
            lsp.harness = harness
            assert await lsp.download_paper(certificate) == paper
            assert await lsp.get_credential(certificate["certificate_id"]) == credential
            await lsp.issue_certificate()
