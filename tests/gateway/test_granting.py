"""Manpower writes grants of agencies' systems and officers into the gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from chassis.caller import system
from chassis.http.internal_tokens import InternalTokenSigner, InternalTokenVerifier
from chassis.http.service_client import ServiceClient, ServiceRefused, ServiceUnavailable
from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.settings import INTERNAL_PORT_OFFSET
from services.manpower.grants import rules
from services.manpower.grants.jobs import apply_grant_orders
from services.manpower.grants.usecases import reconcile_orders
from tests.fakes import AsgiClient, Keys, eventually
from tests.gateway.harness import new_key, running_gateway
from tests.gateway.region import FILE, OIDC, OfficeHarness, known
from tests.gateway.test_services import app_of
from tests.manpower.factories import agency

NOW = datetime.now(UTC)
FORM = {"kind": "system", "title": "Sistem", "purpose": "umpan", "legal_basis": "surat contoh"}


@dataclass
class GrantingHarness:
    """A gateway, and a manpower that writes grants into it when a test runs the job."""

    office: OfficeHarness
    manpower: FastAPI
    gateway: ServiceClient

    def hand(self, subject: str = "admin-1") -> AsgiClient:
        """Return the client of an administrator at manpower."""
        return AsgiClient(self.manpower, self.office.harness.keys, "manpower").as_(
            "administrator", subject=subject, facility="*"
        )

    async def change(
        self, path: str, body: dict[str, Any] | None = None, *, subject: str = "admin-1"
    ) -> Response:
        """Post a change of an agency or consumer with If-Match of its present version."""
        hand = self.hand(subject)
        noun, aggregate_id, _ = path.removeprefix("/v1/").split("/")
        shown = (await hand.get(f"/v1/{noun}/{aggregate_id}")).json()
        headers = {"if-match": f'"{shown["version"]}"'}
        return await hand.post(path, json=body, headers=headers)

    def run(self) -> Runner[Any]:
        """Return a runner like that of a job."""
        return Runner(
            self.manpower.state.engine,
            OperationContext(
                caller=system("manpower"), correlation_id=new_id(), what="job:granting"
            ),
            seconds=30,
        )

    async def turn(self, gateway: ServiceClient | None = None) -> None:
        """Run the job once."""
        await apply_grant_orders(gateway or self.gateway, self.run())

    async def active(self, credential: str) -> str:
        """Create a consumer of the Dinas with this credential, approved by a second person."""
        if (await self.hand().get("/v1/agencies/dinas-belitung")).status_code == 404:
            response = agency()
            form = {
                "id": response.id,
                "kind": "dinas_tk",
                "name": response.name,
                "regency_codes": ["19.02"],
                "purpose": "kerja",
                "legal_basis": "surat contoh",
            }
            assert (await self.hand().post("/v1/agencies", json=form)).status_code == 201
            assert (
                await self.change("/v1/agencies/dinas-belitung/approve", subject="admin-2")
            ).status_code == 200
        first, last = ((NOW + timedelta(days=day)).isoformat() for day in (-1, 30))
        grant = {
            "role": "dinas_placement",
            "regency_codes": ["19.02"],
            "valid_from": first,
            "valid_until": last,
        }
        consumer = (
            await self.hand().post(
                "/v1/consumers", json=FORM | {"agency_id": "dinas-belitung", "grants": [grant]}
            )
        ).json()["id"]
        assert (
            await self.change(f"/v1/consumers/{consumer}/approve", subject="admin-2")
        ).status_code == 200
        await self.attach(consumer, credential)
        return consumer

    async def attach(self, consumer: str, reference: str) -> str:
        """Propose a user or system for the consumer, approve it as the head; return the path."""
        proposed = await self.propose(consumer, reference)
        assert proposed.status_code == 201, proposed.text
        path = f"/v1/consumer-credentials/{proposed.json()['id']}"
        approved = await self.head().post(f"{path}/approve", headers={"if-match": '"1"'})
        assert approved.status_code == 200, approved.text
        return path

    async def propose(
        self, consumer: str, reference: str, *, valid_until: datetime = NOW + timedelta(days=60)
    ) -> Response:
        """Propose a user or system for the consumer."""
        form = {"credential_ref": reference, "valid_until": valid_until.isoformat()}
        return await self.hand().post(f"/v1/consumers/{consumer}/credentials", json=form)

    def head(self, subject: str = "head-1") -> AsgiClient:
        """Return the client of a head at manpower, who looks after no user."""
        return self.hand(subject).as_("head", subject=subject, facility="*")

    async def states(self) -> list[str]:
        """Return the states of all grant orders, sorted."""
        return sorted(
            row["state"] for row in await self.manpower.state.life.db.find("grant_orders", {})
        )

    async def comes_in(self, jti: str) -> int:
        """Send a request as the Dinas' system with a new token and return the status."""
        return (
            await self.office.harness.ask(
                "GET", "/v1/candidates", headers=self.office.bearer("sistem-dinas", jti=jti)
            )
        ).status


@pytest.fixture
async def partnership(
    tmp_path: Path, mongo_url: str, database: str
) -> AsyncGenerator[GrantingHarness]:
    """Start a gateway and a manpower that writes grants into it."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path,
        FILE.read_text(),
        ROLE_PERMISSIONS,
        oidc=OIDC,
        living=True,
        mongo_url=url,
        issuer_key=new_key(),
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        keys = harness.keys
        gateway_settings = keys.settings(
            "manpower", mongo_url=mongo_url, database=f"{database}_m", kafka="127.0.0.1:9"
        )
        manpower = app_of("manpower", tmp_path, keys=keys, mongo_url=gateway_settings["mongo_url"])
        life = manpower.state.life
        await life.prepare()
        life.prepared.set()
        inside = f"http://127.0.0.1:{harness.port + INTERNAL_PORT_OFFSET}"
        gateway = ServiceClient(
            "gateway", inside, InternalTokenSigner("manpower", keys.private["manpower"])
        )
        manpower.state.gateway = gateway
        yield GrantingHarness(OfficeHarness(harness), manpower, gateway)
        await gateway.close()
        await life.db.drop()
        await life.db.close()


async def test_an_approved_consumer_has_access_until_it_or_its_agency_ends(
    partnership: GrantingHarness,
) -> None:
    user_id = await partnership.office.user("sistem-dinas")
    consumer = await partnership.active(user_id)
    assert await partnership.comes_in("t-1") == 403
    for _ in range(2):
        await partnership.turn()
        assert await partnership.states() == ["held"], "reported again, nothing changes"
    assert await partnership.comes_in("t-2") == 200
    token = partnership.office.harness.upstream.last.headers["authorization"].removeprefix(
        "Bearer "
    )
    caller = InternalTokenVerifier("manpower", partnership.office.harness.keys.directory).caller(
        token
    )
    assert (caller.role, caller.claims) == (
        "dinas_placement",
        {"agency": frozenset({"dinas-belitung"}), "regency": frozenset({"19.02"})},
    )
    for noun in (f"consumers/{consumer}", "agencies/dinas-belitung"):
        assert (
            await partnership.change(f"/v1/{noun}/suspend", {"reason": "insiden"})
        ).status_code == 200
        await partnership.turn()
        assert await partnership.comes_in(f"{noun}-1") == 403
        assert (await partnership.change(f"/v1/{noun}/resume")).status_code == 200
        await partnership.turn()
        assert await partnership.comes_in(f"{noun}-2") == 200
    assert (
        await partnership.change(
            f"/v1/consumers/{consumer}/close", {"reason": "perjanjian berakhir"}
        )
    ).status_code == 200
    await partnership.turn()
    assert (await partnership.comes_in("t-9"), await partnership.states()) == (403, ["gone"] * 3)


async def test_grant_orders_wait_while_the_gateway_is_away(
    partnership: GrantingHarness,
) -> None:
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))
    nowhere = ServiceClient(
        "gateway",
        "http://127.0.0.1:9",
        InternalTokenSigner("manpower", partnership.office.harness.keys.private["manpower"]),
        seconds=0.2,
    )
    with pytest.raises(ServiceUnavailable):
        await partnership.turn(nowhere)
    assert await partnership.states() == ["wanted"]
    assert (
        await partnership.change(f"/v1/consumers/{consumer}/suspend", {"reason": "insiden"})
    ).status_code == 200
    with pytest.raises(ServiceUnavailable):
        await partnership.turn(nowhere)
    assert await partnership.states() == ["unwanted"]
    await partnership.turn()
    assert await partnership.states() == ["gone"]
    assert (await partnership.change(f"/v1/consumers/{consumer}/resume")).status_code == 200
    await partnership.turn()
    assert await partnership.comes_in("t-1") == 200
    await nowhere.close()


async def test_a_lost_response_is_requested_again_and_a_suspension_wins(
    partnership: GrantingHarness,
) -> None:
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))

    class Crashing(ServiceClient):
        async def request(self, method: str, path: str, **response: Any) -> Any:
            await partnership.gateway.request(method, path, **response)
            raise ConnectionAbortedError

    crashing = Crashing(
        "gateway",
        "",
        InternalTokenSigner("manpower", partnership.office.harness.keys.private["manpower"]),
    )
    with pytest.raises(ConnectionAbortedError):
        await partnership.turn(crashing)
    assert (await partnership.comes_in("t-1"), await partnership.states()) == (200, ["wanted"])
    assert (
        await partnership.change(f"/v1/consumers/{consumer}/suspend", {"reason": "insiden"})
    ).status_code == 200
    await partnership.turn()
    assert (await partnership.comes_in("t-2"), await partnership.states()) == (403, ["gone"])


async def test_a_suspension_while_the_gateway_answers_is_sent_afterwards(
    partnership: GrantingHarness,
) -> None:
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))

    class Slow(ServiceClient):
        async def request(self, method: str, path: str, **response: Any) -> Any:
            answer = await partnership.gateway.request(method, path, **response)
            await partnership.change(f"/v1/consumers/{consumer}/suspend", {"reason": "insiden"})
            await partnership.run()(reconcile_orders)
            return answer

    await partnership.turn(
        Slow(
            "gateway",
            "",
            InternalTokenSigner("manpower", partnership.office.harness.keys.private["manpower"]),
        )
    )
    assert (await partnership.comes_in("t-1"), await partnership.states()) == (200, ["unwanted"])
    await partnership.turn()
    assert (await partnership.comes_in("t-2"), await partnership.states()) == (403, ["gone"])


async def test_a_credential_unknown_to_the_gateway_is_shown_and_retried(
    partnership: GrantingHarness,
) -> None:
    user_id = await partnership.office.user("sistem-dinas")
    consumer = await partnership.active(user_id)
    db = partnership.manpower.state.life.db
    await db.update("consumer_credentials", {}, {"$set": {"user_id": "nobody"}})
    await partnership.turn()
    shown = (await partnership.hand().get(f"/v1/consumers/{consumer}")).json()
    assert shown["refused"] == [
        {"credential_ref": "nobody", "role": "dinas_placement", "refusal": "user_unknown"}
    ]
    await db.update("grant_orders", {}, {"$set": {"refused_at": NOW - rules.RETRY_REFUSED_AFTER}})
    await partnership.run()(reconcile_orders)
    assert await partnership.states() == ["wanted"]
    assert (
        await partnership.change(f"/v1/consumers/{consumer}/close", {"reason": "keliru"})
    ).status_code == 200
    await partnership.turn()
    assert await partnership.states() == ["gone"]


async def test_a_consumers_grant_that_runs_out_is_taken_back(partnership: GrantingHarness) -> None:
    await partnership.active(await partnership.office.user("sistem-dinas"))
    await partnership.turn()
    db = partnership.manpower.state.life.db
    await db.update("consumers", {}, {"$set": {"grants.0.valid_until": NOW - timedelta(seconds=1)}})
    await partnership.turn()
    assert (await partnership.comes_in("t-1"), await partnership.states()) == (403, ["gone"])


async def test_a_prisons_own_system_gets_no_access_to_an_approved_consumer(
    partnership: GrantingHarness,
) -> None:
    """One administrator registers a system and proposes it; the gateway refuses it as well."""
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))
    form = {"home": "LP-EVIL", "label": "x"}
    evil = await partnership.office.admin("PUT", "clients/evil-system", form, facility="LP-EVIL")
    user_id = evil.content["user_id"]
    for reference in ("evil-system", user_id):
        refused = await partnership.propose(consumer, reference)
        assert (refused.status_code, refused.json()["code"]) == (422, "credential_of_prison")
    response = await partnership.office.grant(user_id, agency=["dinas-belitung"])
    assert (response.status_code, response.json()["code"]) == (422, "user_of_prison")


async def test_an_offices_system_gets_access_from_approval_to_detachment(
    partnership: GrantingHarness,
) -> None:
    """Administrators of all places register it; those of one prison cannot."""
    form = {"home": "", "label": "SISNAKER"}
    own = await partnership.office.admin("PUT", "clients/dinas", form, facility="LP-TJP")
    assert own.status == 404
    above = await partnership.office.admin("PUT", "clients/dinas", form, facility="*")
    user_id = above.content["user_id"]
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))
    proposed = (await partnership.propose(consumer, "dinas")).json()
    await partnership.turn()
    assert await partnership.states() == ["held"], "a proposal gives nothing"
    path = f"/v1/consumer-credentials/{proposed['id']}"
    looking_after = await partnership.hand("admin-7").post(
        f"{path}/approve", headers={"if-match": '"1"'}
    )
    assert looking_after.json()["code"] == "approver_looks_after_user"
    await partnership.head().post(f"{path}/approve", headers={"if-match": '"1"'})
    await partnership.turn()
    assert await partnership.states() == ["held", "held"]
    assert proposed["user_id"] == user_id
    body = {"reason": "rotasi"}
    detached = await partnership.hand().post(
        f"{path}/detach", json=body, headers={"if-match": '"2"'}
    )
    assert detached.status_code == 200
    await partnership.turn()
    assert await partnership.states() == ["held", "held"], "one person detaches nothing"
    await partnership.head().post(f"{path}/approve", headers={"if-match": '"3"'})
    await partnership.turn()
    assert await partnership.states() == ["gone", "held"]


@pytest.mark.parametrize("status", [400, 403, 410, 413])
async def test_a_refused_order_does_not_keep_later_orders_waiting(
    partnership: GrantingHarness, status: int
) -> None:
    consumer = await partnership.active(await partnership.office.user("sistem-dinas"))
    await partnership.attach(consumer, await partnership.office.user("sistem-dua"))

    class Refusing(ServiceClient):
        """The gateway, except that it refuses the first order."""

        refused = ""

        async def request(self, method: str, path: str, **more: Any) -> Any:
            self.refused = self.refused or path
            if path == self.refused:
                raise ServiceRefused(peer="gateway", peer_status=status, peer_code="")
            return await partnership.gateway.request(method, path, **more)

    keys = partnership.office.harness.keys
    await partnership.turn(
        Refusing("gateway", "", InternalTokenSigner("manpower", keys.private["manpower"]))
    )
    assert await partnership.states() == ["held", "refused"]
    shown = (await partnership.hand().get(f"/v1/consumers/{consumer}")).json()
    assert [item["refusal"] for item in shown["refused"]] == [f"refused_{status}"]
