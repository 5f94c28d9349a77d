"""Routes of consents: recipients by the routing table, moves, one consent per recipient."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.manpower.harness import RegionHarness, done, made, refused


@pytest.mark.scenario("P1/regency")
async def test_without_a_recipient_the_routing_table_names_the_dinas(region: RegionHarness) -> None:
    """The regency is that of the KTP; without a row of the table the consent is refused."""
    dinas = f"{region.dinas_id}-timur"
    await region.agency(dinas, "dinas_tk", regencies=("19.06",))
    await region.assign_route("19.06", "placement", dinas)
    officer = region.officer()
    ref = await region.admitted(regency="19.06")
    form = region.consent_form(ref) | {"recipient": None}
    assert (await made(officer.post("/v1/consents", json=form)))["recipient"] == dinas
    client = region.dinas(agency=dinas, regency="19.06")
    assert (await client.get(f"/v1/candidates/{ref}")).status_code == 200
    elsewhere = await region.admitted(regency="19.05")
    form = region.consent_form(elsewhere) | {"recipient": None}
    await refused(officer.post("/v1/consents", json=form), 422, "route_missing")


async def test_a_move_to_another_regency_ends_the_consent_of_the_former_office(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("skills",))
    await region.resides(ref, "19.06")
    assert (await region.dinas().get(f"/v1/candidates/{ref}")).status_code == 404
    shown = await done(region.officer().get(f"/v1/consents/{consent['id']}"))
    assert shown["ending"] == "moved_away"


async def test_two_parallel_consents_for_one_recipient_are_one(region: RegionHarness) -> None:
    ref = await region.admitted()
    form = region.consent_form(ref)
    officer = region.officer()
    answers = await asyncio.gather(*(officer.post("/v1/consents", json=form) for _ in range(4)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
    assert len((await region.known(ref))["visibility"]["shares"]) == 1


async def test_a_consent_given_during_a_death_is_refused_or_ended(region: RegionHarness) -> None:
    """The consent is given while the event of the death is handled, five times."""
    for _ in range(5):
        ref = await region.admitted()
        answer, event_id = await asyncio.gather(
            region.officer().post("/v1/consents", json=region.consent_form(ref)),
            region.publish_release(ref, kind="death"),
        )
        await region.handled(event_id)
        assert answer.status_code in {201, 422}
        assert await region.db.count("consents", {"candidate_id": ref, "live": True}) == 0


async def test_a_withdrawal_needs_if_match_with_the_present_version(region: RegionHarness) -> None:
    consent = await region.consents(await region.admitted())
    path = f"/v1/consents/{consent['id']}/withdraw"
    officer = region.officer()
    await refused(officer.post(path), 428, "version_required")
    await refused(officer.post(path, headers={"if-match": '"9"'}), 412, "version_differs")
