"""Who sees a person, on the wire: no consent valid now, no row; nothing beyond the consent's columns; nothing that tells the two 404 apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.ids import new_id, utc_now
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import (
    Column,
    ConsentShare,
    Purpose,
    Reader,
    Visibility,
    share_for,
)
from services.manpower.visibility.store import reader_filter
from tests.fakes import AsgiClient, not_four_eyes, routes
from tests.manpower.harness import NAME, Region, done, made, refused, without_ids

ALL = ("name", "regency", "skills", "experience", "availability")


@pytest.mark.scenario("P4/lists-and-feed", "MP-1/rows")
async def test_without_a_consent_the_dinas_sees_no_row_anywhere(region: Region) -> None:
    ref = await region.admitted()
    dinas = region.dinas()
    assert (await done(dinas.get("/v1/candidates")))["items"] == []
    await refused(dinas.get(f"/v1/candidates/{ref}"), 404, "candidate_unknown")
    assert (await region.feed(dinas))[0] == []
    assert (await done(dinas.get("/v1/snapshot")))["items"] == []


@pytest.mark.scenario("P4/lists-and-feed", "MP-1/rows")
@pytest.mark.parametrize(
    ("role", "claims"),
    [
        ("dinas_placement", {}),
        ("dinas_placement", {"agency": "DINAS"}),
        ("dinas_placement", {"regency": "19.02"}),
        ("dinas_placement", {"agency": "DINAS", "regency": "19.06"}),
        ("dinas_placement", {"agency": "dinas-salah-eja", "regency": "19.02"}),
        ("dinas_placement", {"agency": "*", "regency": "*"}),
        ("dinas_training", {"agency": "DINAS", "regency": "19.02"}),
        ("dinas_placment", {"agency": "DINAS", "regency": "19.02"}),
        ("employer", {"employer": "DINAS"}),
        ("kanwil", {"agency": "DINAS"}),
    ],
)
async def test_a_missing_empty_or_misspelt_filter_shows_nothing_of_a_candidate_that_another_sees(
    region: Region, role: str, claims: dict[str, str]
) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    assert [item["id"] for item in (await done(region.dinas().get("/v1/candidates")))["items"]] == [
        ref
    ]
    stranger = region.service.client.as_(
        role,
        **{name: region.dinas_id if value == "DINAS" else value for name, value in claims.items()},
    )
    assert (await done(stranger.get("/v1/candidates")))["items"] == []
    assert (await stranger.get(f"/v1/candidates/{ref}")).status_code == 404
    assert (await region.feed(stranger))[0] == []
    assert (await done(stranger.get("/v1/snapshot")))["items"] == []


@pytest.mark.scenario("P4/not-found")
async def test_a_candidate_of_another_regency_answers_exactly_as_one_that_does_not_exist(
    region: Region,
) -> None:
    theirs = await region.admitted(regency="19.06")
    await region.agency(f"{region.dinas_id}-timur", "dinas_tk", regencies=("19.06",))
    await region.consents(theirs, recipient=f"{region.dinas_id}-timur")
    asked = region.service.training.asked[:]
    hidden, unknown = (
        await region.dinas().get(f"/v1/candidates/{theirs}"),
        await region.dinas().get(f"/v1/candidates/{new_id()}"),
    )
    assert hidden.status_code == 404
    assert without_ids(hidden) == without_ids(unknown)
    assert region.service.training.asked == asked


@pytest.mark.scenario("MP-6/query", "P16")
async def test_a_row_shows_from_the_consent_to_the_instant_of_its_expiry_and_not_a_moment_longer(
    region: Region,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("skills",), days=1)
    expiry = utc_now() + timedelta(days=1)
    stored = await region.db.find_one("consents", {"_id": consent["id"]})
    for moment, status in (
        (stored["expires_at"] - timedelta(milliseconds=1), 200),
        (stored["expires_at"], 404),
        (expiry + timedelta(days=1), 404),
    ):
        region.travel(moment)
        assert (await region.dinas().get(f"/v1/candidates/{ref}")).status_code == status
        assert len((await done(region.dinas().get("/v1/candidates")))["items"]) == (status == 200)


@pytest.mark.scenario("P5/api", "MP-1/columns")
@pytest.mark.parametrize("fields", [("skills",), ("availability", "regency"), ("experience",), ALL])
async def test_an_outside_reader_gets_the_consents_columns_and_no_others(
    region: Region, fields: tuple[str, ...]
) -> None:
    ref, certificate = await region.admitted(), new_id()
    await region.tell_certified(ref, certificate)
    await region.tell(
        "training.release-planned.v1",
        ref,
        {
            "participant_ref": ref,
            "facility_id": region.facility,
            "expected_on": "2027-06-17",
            "kind": "conditional_release",
        },
    )
    await region.known(ref, **{"plan.month": "2027-06", "skills.0": {"$exists": True}})
    await region.consents(ref, fields=fields)
    names = {"regency": "regency_code", "availability": "available_from"}
    expected = {"id", "version", "consent_expires_at"} | {names.get(name, name) for name in fields}
    answer = await region.dinas().get(f"/v1/candidates/{ref}")
    assert answer.json().keys() == expected
    for secret in (
        certificate,
        region.facility,
        "conditional_release",
        "2027-06-17",
        "inside",
        "birth",
    ):
        assert secret not in answer.text
    [listed] = (await done(region.dinas().get("/v1/candidates")))["items"]
    assert listed.keys() == expected - {"name"}


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_name_is_fetched_at_the_moment_of_disclosure_with_its_purpose_and_leaves_a_row(
    region: Region,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("name", "skills"))
    asked = len(region.service.training.asked)
    assert (await done(region.dinas().get(f"/v1/candidates/{ref}")))["name"] == NAME
    assert region.service.training.asked[asked:] == [("refer-candidate", [ref])]
    [row] = await region.db.find("audit", {"action": "candidates.disclosed", "subject": ref})
    assert (row["purpose"], row["recipient"], row["consent"], row["fields"]) == (
        "dinas_registration",
        region.dinas_id,
        consent["id"],
        ["name", "skills"],
    )
    assert row["actor"] == region.dinas().caller.subject


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_name_that_the_consent_does_not_hold_is_not_even_asked_for(region: Region) -> None:
    ref = await region.admitted()
    await region.consents(ref, fields=("skills",))
    asked = len(region.service.training.asked)
    assert "name" not in await done(region.dinas().get(f"/v1/candidates/{ref}"))
    assert len(region.service.training.asked) == asked


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_consent_withdrawn_while_the_name_is_fetched_discloses_nothing(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref)
    peer = region.service.client.app.state.training
    ask = peer.ask

    async def slow(*question: Any, **more: Any) -> Any:
        answer = await ask(*question, **more)
        await done(region.officer().post(f"/v1/consents/{consent['id']}/withdraw"))
        return answer

    monkeypatch.setattr(peer, "ask", slow)
    answer = await region.dinas().get(f"/v1/candidates/{ref}")
    assert (answer.status_code, NAME in answer.text) == (404, False)
    assert await region.db.find("audit", {"action": "candidates.disclosed", "subject": ref}) == []


async def test_while_training_is_away_the_answer_is_a_503_that_may_be_tried_again(
    region: Region,
) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    region.service.training.away = True
    try:
        answer = await region.dinas().get(f"/v1/candidates/{ref}")
    finally:
        region.service.training.away = False
    assert (answer.status_code, answer.json()["code"]) == (503, "peer_away")
    assert answer.headers["retry-after"]


@pytest.mark.scenario("P1/regency")
async def test_without_a_recipient_the_routing_table_sends_the_consent_to_the_dinas_of_the_ktp_regency(
    region: Region,
) -> None:
    timur = f"{region.dinas_id}-timur"
    await region.agency(timur, "dinas_tk", regencies=("19.06",))
    await done(
        region.administrator().request(
            "PUT", "/v1/agency-routes/19.06/placement", json={"agency_id": timur}
        )
    )
    ref = await region.admitted(regency="19.06")
    form = region.consent_form(ref, "dinas_registration", None, ("skills",)) | {"recipient": None}
    assert (await made(region.officer().post("/v1/consents", json=form)))["recipient"] == timur
    assert (
        await region.dinas(agency=timur, regency="19.06").get(f"/v1/candidates/{ref}")
    ).status_code == 200
    nowhere = await region.admitted(regency="19.05")
    form = region.consent_form(nowhere, "dinas_registration", None, ("skills",)) | {
        "recipient": None
    }
    await refused(region.officer().post("/v1/consents", json=form), 422, "route_missing")


async def test_a_person_who_moves_to_another_regency_is_no_longer_shared_with_the_former_office(
    region: Region,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("skills",))
    await region.resides(ref, "19.06")
    assert (await region.dinas().get(f"/v1/candidates/{ref}")).status_code == 404
    assert (await done(region.officer().get(f"/v1/consents/{consent['id']}")))[
        "ending"
    ] == "moved_away"


@pytest.mark.scenario("P2/four-eyes")
async def test_who_registers_an_agency_or_asks_for_a_consumer_cannot_approve_it(
    region: Region,
) -> None:
    id_ = f"bpvp-{region.tag}"
    form = {
        "id": id_,
        "kind": "bpvp_blk",
        "name": f"BPVP {id_}",
        "regency_codes": ["19.02"],
        "purpose": "pelatihan",
        "legal_basis": "surat contoh",
    }
    asking = region.administrator().by("administrator-1", "official-1")
    await made(asking.post("/v1/agencies", json=form))
    for hand in not_four_eyes("administrator-1", "official-1"):
        await refused(asking.by(*hand).post(f"/v1/agencies/{id_}/approve"), 403, "same_eyes")
    await done(region.administrator("administrator-2").post(f"/v1/agencies/{id_}/approve"))
    grant = {
        "role": "dinas_training",
        "regency_codes": ["19.02"],
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2099-01-01T00:00:00Z",
    }
    asked = {
        "agency_id": id_,
        "kind": "system",
        "title": "Sistem BPVP",
        "purpose": "umpan",
        "legal_basis": "surat contoh",
        "grants": [grant],
    }
    consumer = await made(asking.post("/v1/consumers", json=asked))
    for hand in not_four_eyes("administrator-1", "official-1"):
        await refused(
            asking.by(*hand).post(f"/v1/consumers/{consumer['id']}/approve"), 403, "same_eyes"
        )
    assert (
        await done(
            region.administrator("administrator-2").post(f"/v1/consumers/{consumer['id']}/approve")
        )
    )["status"] == "active"
    wrong = asked | {"grants": [grant | {"role": "employer"}]}
    await refused(region.administrator().post("/v1/consumers", json=wrong), 422, "grant_refused")


async def test_an_office_from_outside_registers_and_approves_employers_of_its_regency_and_nothing_else(
    region: Region,
) -> None:
    form = {
        "kind": "employer_partner",
        "nib": "1234567890123",
        "regency_codes": ["19.02"],
        "purpose": "kerja",
        "legal_basis": "surat contoh",
    }
    one = f"toko-{region.tag}"
    await made(
        region.dinas(subject="dinas-1").post(
            "/v1/agencies",
            json=form
            | {
                "id": one,
                "name": f"Toko {region.tag}",
                "nib": "9" + region.tag.translate(str.maketrans("abcdef", "123456")),
            },
        )
    )
    await refused(
        region.dinas(subject="dinas-1").post(f"/v1/agencies/{one}/approve"), 403, "same_eyes"
    )
    await done(region.dinas(subject="dinas-2").post(f"/v1/agencies/{one}/approve"))
    office = form | {
        "id": f"x-{one}",
        "name": f"Kantor {region.tag}",
        "kind": "dinas_tk",
        "nib": None,
    }
    await refused(region.dinas().post("/v1/agencies", json=office), 403, "not_your_agency")
    away = form | {"id": f"y-{one}", "name": f"Jauh {region.tag}", "regency_codes": ["19.06"]}
    await refused(region.dinas().post("/v1/agencies", json=away), 403, "not_your_agency")
    await refused(
        region.dinas().post(f"/v1/agencies/{region.dinas_id}/suspend", json={"reason": "coba"}),
        403,
        "not_your_agency",
    )


@pytest.mark.scenario("P18/employer-name")
async def test_an_employer_whose_name_differs_in_case_and_spaces_only_is_refused(
    region: Region,
) -> None:
    form = {
        "kind": "employer_partner",
        "regency_codes": ["19.02"],
        "purpose": "kerja",
        "legal_basis": "surat contoh",
    }
    twin = form | {
        "id": f"kembar-{region.tag}",
        "name": f"  CONTOH   {region.employer_id} ",
        "nib": "0000000000000",
    }
    await refused(region.administrator().post("/v1/agencies", json=twin), 409, "agency_name_taken")


@pytest.mark.scenario("P6/api-and-feed", "MP-2/suspended")
async def test_a_suspended_consumer_is_refused_at_its_next_request_and_goes_on_from_its_cursor_afterwards(
    region: Region,
) -> None:
    grant = {
        "role": "dinas_placement",
        "regency_codes": ["19.02"],
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2099-01-01T00:00:00Z",
    }
    form = {
        "agency_id": region.dinas_id,
        "kind": "system",
        "title": "Sistem",
        "purpose": "umpan",
        "legal_basis": "surat contoh",
        "grants": [grant],
    }
    consumer = (await made(region.administrator().post("/v1/consumers", json=form)))["id"]
    await done(region.administrator("administrator-2").post(f"/v1/consumers/{consumer}/approve"))
    await done(
        region.administrator().post(
            f"/v1/consumers/{consumer}/credentials",
            json={"credential_ref": f"machine-{region.tag}"},
        )
    )
    machine, officer = region.dinas(subject=f"machine-{region.tag}"), region.dinas()
    refs = [await region.admitted() for _ in range(3)]
    await region.consents(refs[0], fields=("skills",))
    before, cursor = await region.feed(machine)
    await done(
        region.administrator().post(f"/v1/consumers/{consumer}/suspend", json={"reason": "insiden"})
    )
    for path in (
        f"/v1/feed?after={cursor}",
        "/v1/snapshot",
        "/v1/candidates",
        f"/v1/candidates/{refs[0]}",
        "/v1/job-applications",
        "/v1/placements",
        "/v1/vacancies",
        "/v1/agencies",
    ):
        await refused(machine.get(path), 403, "consumer_suspended")
    assert (await officer.get("/v1/candidates")).status_code == 200
    for ref in refs[1:]:
        await region.consents(ref, fields=("skills",))
    await done(region.administrator().post(f"/v1/consumers/{consumer}/resume"))
    after, _ = await region.feed(machine, cursor)
    assert [item["subject"]["ref"] for item in before] == refs[:1]
    assert [item["subject"]["ref"] for item in after] == refs[1:]


@pytest.mark.scenario("MP-6/query")
async def test_the_query_and_the_rule_agree_on_who_sees_a_row(region: Region) -> None:
    now = utc_now()
    recipients, regencies = st.sampled_from(["a", "b"]), st.sampled_from(["19.02", "19.06", ""])
    moments = st.integers(-2, 2).map(lambda minutes: now + timedelta(minutes=minutes))
    shares = st.builds(
        ConsentShare,
        consent_id=st.just("c"),
        recipient=recipients,
        purpose=st.sampled_from(Purpose),
        fields=st.just(frozenset[Column]()),
        given_at=moments,
        expires_at=moments,
    )
    rows = st.lists(
        st.builds(
            Visibility,
            facility_id=st.just(f"hypothesis-{region.tag}"),
            regency_code=regencies,
            shares=st.lists(shares, max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=8,
    )
    readers = st.builds(
        Reader,
        recipients=st.frozensets(recipients, min_size=1),
        purpose=st.sampled_from(Purpose),
        regencies=st.none() | st.frozensets(regencies, min_size=1),
    )
    cases: list[tuple[list[Visibility], Reader]] = []

    @settings(max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
    @for_all(drawn=rows, reader=readers)
    def draw(drawn: list[Visibility], reader: Reader) -> None:
        cases.append((drawn, reader))

    draw()
    for number, (drawn, reader) in enumerate(cases):
        names = [f"{number}/{place}" for place in range(len(drawn))]
        documents = [
            {"_id": name, "visibility": _document(row)}
            for name, row in zip(names, drawn, strict=True)
        ]
        await region.db.insert("rows_under_test", documents)
        found = await region.db.find(
            "rows_under_test", {"$and": [{"_id": {"$in": names}}, reader_filter(reader, now)]}
        )
        expected = {
            name
            for name, row in zip(names, drawn, strict=True)
            if share_for(row, reader, now) is not None
        }
        assert {row["_id"] for row in found} == expected


def _document(row: Visibility) -> dict[str, Any]:
    shares = [
        {
            "recipient": share.recipient,
            "purpose": share.purpose.value,
            "given_at": share.given_at,
            "expires_at": share.expires_at,
            "fields": sorted(share.fields),
        }
        for share in row.shares
    ]
    return {"facility_id": row.facility_id, "regency_code": row.regency_code, "shares": shares}


@pytest.mark.scenario("P3/services")
async def test_every_route_refuses_the_anonymous_with_401_and_a_caller_without_its_permission_with_403(
    region: Region,
) -> None:
    client = region.service.client
    walked = [
        (method, route.path)
        for route in routes(client.app)
        for method in route.methods or ()
        if route.path.startswith("/v1/")
    ]
    assert len(walked) >= 40
    powerless = client.as_("case_officer", permissions=[], facility=region.facility)
    for method, path in walked:
        filled = (
            path.format(
                **dict.fromkeys(
                    (
                        "agency_id",
                        "candidate_id",
                        "consent_id",
                        "consumer_id",
                        "vacancy_id",
                        "application_id",
                        "placement_id",
                        "sequence",
                    ),
                    "x",
                ),
                regency_code="19.02",
                topic="placement",
            )
            if "{" in path
            else path
        )
        assert (await client.request(method, filled, token="", json={})).status_code == 401, (
            method,
            path,
        )
        assert (await powerless.request(method, filled, json={})).status_code == 403, (method, path)


@pytest.mark.scenario("P3/services", "P4/not-found")
async def test_every_read_of_another_facilitys_person_answers_404(region: Region) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, "employer_share", fields=("name",))
    vacancy = await region.vacancy()
    application = await region.applies(ref, vacancy, until="ACCEPTED")
    body = {
        "application_id": application,
        "kind": "employee",
        "started_on": "2027-01-04",
        "permit_number": "izin-1",
    }
    placement = (await made(region.officer().post("/v1/placements", json=body)))["id"]
    strangers: list[AsgiClient] = [
        region.officer(facility="LP-LAIN"),
        region.dinas(),
        region.employer("usaha-lain"),
    ]
    for path in (
        f"/v1/candidates/{ref}",
        f"/v1/consents/{consent['id']}",
        f"/v1/job-applications/{application}",
        f"/v1/placements/{placement}",
    ):
        assert (await region.officer().get(path)).status_code == 200
        for stranger in strangers:
            assert (await stranger.get(path)).status_code == 404, path
    for path in ("/v1/candidates", "/v1/consents", "/v1/job-applications", "/v1/placements"):
        for stranger in strangers:
            assert (await done(stranger.get(path)))["items"] == [], path


def test_no_store_is_without_a_claim_or_a_second_gate_that_filters_it() -> None:
    ungated = {
        store.collection
        for store in Transaction.stores()
        if "public" in store.scope
        and "narrowing" not in {name for kind in store.__mro__[:-3] for name in vars(kind)}
    }
    assert all(store.scope for store in Transaction.stores())
    assert ungated == {"vacancy_slots", "feed_heads"}
