"""Name, NIK and offence appear in no stored row, event, answer or log."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from tests.fakes import eventually
from tests.manpower.fakes import NAME
from tests.manpower.harness import RegionHarness, done, made

NIK = "9902020101900001"
OFFENCE = "PERKARARAHASIA-001"
SECRETS = (NIK, OFFENCE, NAME)
SCANNED = {"candidates", "outbox", "audit", "feed_entries", "inbox", "placements"}


@pytest.mark.scenario("P20/scan")
async def test_no_name_nik_or_offence_is_stored_published_or_logged(
    region: RegionHarness,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Secrets come in an event, a bad request and an unreadable event, whose row is left out."""
    ref, application = await region.applicant(await region.vacancy(), "ACCEPTED")
    release = await region.publish_release(ref, name=NAME, nik=NIK, offence=OFFENCE)
    await region.handled(release)
    dinas = region.dinas()
    assert (await done(dinas.get(f"/v1/candidates/{ref}")))["name"] == NAME
    await made(region.place(dinas, application))
    bad_form = {"candidate_id": ref, "purpose": OFFENCE, "name": NAME, "nik": NIK}
    problem = await region.officer().post("/v1/consents", json=bad_form)
    assert problem.status_code == 422
    unreadable = {"participant_ref": OFFENCE, "expected_on": NIK, "kind": NAME}
    event_id = await region.publish("training.release-planned.v1", new_id(), unreadable)
    parked = {"_id": event_id, "state": "parked"}
    await eventually(lambda: region.db.find_one("inbox", parked))
    await region.numbered()
    collections = await region.db.db.list_collection_names()
    texts = {
        name: str(await region.db.find(name, {"_id": {"$ne": event_id}})) for name in collections
    }
    assert texts.keys() >= SCANNED
    captured = capfd.readouterr()
    # Where lines go depends on whether a test before has configured the log.
    logged = captured.out + captured.err + caplog.text
    assert "event_parked" in logged
    texts["problem"] = problem.text
    texts["log"] = logged
    leaks = {name: [secret for secret in SECRETS if secret in text] for name, text in texts.items()}
    assert {name for name, secrets in leaks.items() if secrets} == set()
