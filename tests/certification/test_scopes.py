"""Another LSP's data is 404 on every route; an assessor sees only what is assigned; a reference belongs to one LSP."""

from __future__ import annotations

from collections.abc import Callable

from tests.certification.harness import UNITS, Json, Lsp, Stage, done, refused, today
from tests.fakes import routes

PUBLIC = {
    "/V/{token}",
    "/v/{token}",
    "/i/{slug}/did.json",
    "/l/{list_id}",
    "/s/{scheme}/{version}",
    "/v1/verifications",
}
LISTS = {
    "/v1/lsps",
    "/v1/schemes",
    "/v1/assessors",
    "/v1/venues",
    "/v1/assessment-applications",
    "/v1/panel-decisions",
    "/v1/certificates",
}
BODIES: dict[str, Callable[[Lsp], Json]] = {
    "POST /v1/lsps/{lsp_id}/licences": lambda lsp: lsp.licence(),
    "POST /v1/schemes": lambda lsp: {
        "lsp_id": lsp.id,
        "scheme_ref": "lain-sekali",
        "title": "x",
        "packaging": "unit",
        "description": "x",
        "criteria": "x",
        "units": UNITS,
    },
    "POST /v1/assessors": lambda lsp: {
        "lsp_id": lsp.id,
        "name": "x",
        "met_no": "x",
        "met_valid_until": str(today()),
        "scheme_refs": [],
    },
    "PATCH /v1/assessors/{assessor_id}": lambda _: {"name": "x"},
    "POST /v1/venues": lambda lsp: {
        "lsp_id": lsp.id,
        "name": "x",
        "kind": "standing",
        "scheme_refs": ["x"],
    },
    "POST /v1/venues/{venue_id}/verifications": lambda _: {
        "valid_from": str(today()),
        "valid_until": str(today()),
        "scheme_refs": ["x"],
    },
    "PUT /v1/assessment-applications/{application_id}/apl-01": lambda _: {
        "evidence": [{"kind": "x", "description": "x"}],
        "signed_on": str(today()),
    },
    "PUT /v1/assessment-applications/{application_id}/apl-02": lambda _: {
        "units": {"x": True},
        "signed_on": str(today()),
    },
    "PUT /v1/assessment-applications/{application_id}/assignment": lambda lsp: lsp.assignment(),
    "PUT /v1/assessment-applications/{application_id}/declaration": lambda _: {"conflict": True},
    "PUT /v1/assessment-applications/{application_id}/unit-results": lambda _: {
        "units": {"x": "K"}
    },
    "PUT /v1/assessment-applications/{application_id}/recommendation": lambda _: {
        "competent": True
    },
    "PUT /v1/assessment-applications/{application_id}/name/confirmation": lambda _: {
        "name": "Siti Aminah"
    },
    "POST /v1/panel-decisions": lambda lsp: lsp.sitting("anything"),
    "POST /v1/certificates/{certificate_id}/suspension": lambda _: {"cause": "data_error"},
    "POST /v1/certificates/{certificate_id}/reinstatement": lambda _: {"cause": "data_error"},
    "POST /v1/certificates/{certificate_id}/revocation": lambda _: {"cause": "data_error"},
}


async def test_another_lsps_data_is_404_on_every_route_and_in_no_list(
    stage: Stage, lsp: Lsp
) -> None:
    stranger = await Lsp.founded(stage)
    certificate = await lsp.certificate()
    application = await done(
        lsp.officer.get(f"/v1/assessment-applications/{certificate['application_id']}")
    )
    ids = {
        "lsp_id": lsp.id,
        "edition_id": certificate["edition_id"],
        "assessor_id": lsp.assessor["assessor_id"],
        "venue_id": lsp.venue["venue_id"],
        "application_id": certificate["application_id"],
        "panel_decision_id": application["panel_decision_id"],
        "certificate_id": certificate["certificate_id"],
    }
    walked = 0
    for route in routes(stage.client.app):
        for method in route.methods or ():
            if (
                not route.path.startswith("/v1")
                or route.path.startswith("/v1/operations/")
                or route.path in PUBLIC
                or (method, route.path) == ("POST", "/v1/lsps")
            ):
                continue
            name, path = f"{method} {route.path}", route.path.format(**ids)
            body = BODIES[name](lsp) if name in BODIES else None
            answer = await stranger.officer.request(
                method, path, json=body, headers={"if-match": '"1"'} if method == "PATCH" else {}
            )
            if method == "GET" and route.path in LISTS:
                assert answer.status_code == 200, name
                assert not set(ids.values()) & {
                    value
                    for item in answer.json()["items"]
                    for value in item.values()
                    if isinstance(value, str)
                }, name
            else:
                assert answer.status_code == 404, (name, answer.text)
            walked += 1
    assert walked == 37
    assert (
        await done(lsp.officer.get(f"/v1/certificates/{certificate['certificate_id']}"))
        == certificate
    )


async def test_an_assessor_sees_only_assigned_applications_and_not_whose_they_are(lsp: Lsp) -> None:
    mine, other = await lsp.filled(), await lsp.filled()
    second = await lsp.new_assessor()
    await done(
        lsp.officer.request(
            "PUT", f"/v1/assessment-applications/{mine}/assignment", json=lsp.assignment()
        )
    )
    assessor = lsp.assessing()
    listed = await done(assessor.get("/v1/assessment-applications"))
    assert [one["application_id"] for one in listed["items"]] == [mine]
    assert (await done(assessor.get(f"/v1/assessment-applications/{mine}")))[
        "participant_ref"
    ] is None
    for id_, who in ((other, assessor), (mine, lsp.assessing(second))):
        assert await refused(who.get(f"/v1/assessment-applications/{id_}"), 404) == {
            "application_unknown"
        }
        assert await refused(
            who.request(
                "PUT", f"/v1/assessment-applications/{id_}/declaration", json={"conflict": False}
            ),
            404,
        ) == {"application_unknown"}


async def test_an_assessor_or_venue_of_another_lsp_cannot_be_assigned(
    stage: Stage, lsp: Lsp
) -> None:
    stranger, application = await Lsp.founded(stage), await lsp.filled()
    for foreign, code in (
        ({"assessor_id": stranger.assessor["assessor_id"]}, "assessor_unknown"),
        ({"venue_id": stranger.venue["venue_id"]}, "venue_unknown"),
    ):
        assert await refused(
            lsp.officer.request(
                "PUT",
                f"/v1/assessment-applications/{application}/assignment",
                json=lsp.assignment(**foreign),
            ),
            404,
        ) == {code}


async def test_a_reference_of_another_lsps_scheme_cannot_be_taken(stage: Stage, lsp: Lsp) -> None:
    stranger = await Lsp.founded(stage)
    terms = BODIES["POST /v1/schemes"](stranger) | {"scheme_ref": lsp.scheme_ref}
    assert await refused(stranger.officer.post("/v1/schemes", json=terms)) == {
        "scheme_of_another_lsp"
    }


async def test_keys_asked_for_again_stay_and_no_private_part_is_in_the_database(lsp: Lsp) -> None:
    first, again = [await done(lsp.officer.post(f"/v1/lsps/{lsp.id}/keys"), 201) for _ in range(2)]
    assert first["keys"] == again["keys"]
    assert [key["name"].partition("-")[0] for key in first["keys"]] == ["key", "status"]
    files = sorted((lsp.stage.settings.keys_dir / lsp.id).iterdir())
    assert [file.name for file in files] == [f"{key['name']}.pem" for key in first["keys"]]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert "PRIVATE" not in str(await lsp.stage.stored("lsps"))


async def test_lists_come_in_pages(lsp: Lsp) -> None:
    for number in range(3):
        await lsp.new_assessor(name=f"Asesor {number}")
    seen, cursor = list[str](), None
    while True:
        page = await done(
            lsp.officer.get(
                "/v1/assessors", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
            )
        )
        seen += [one["assessor_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 4
