"""Mappings over HTTP: a facility goes live by data alone."""

from __future__ import annotations

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.snapshot_files import mapping_tables


async def test_an_upload_without_a_mapping_is_refused_before_it_is_read(
    service: AsgiClient,
) -> None:
    facility_id = await factories.create_facility(
        service, factories.new_facility_id(), mapping="TIDAK-ADA"
    )
    answer = await factories.officer(service, facility_id).post(
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=b"x",
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping_unknown")


async def test_an_unforeseen_facility_goes_live_by_data_alone(service: AsgiClient) -> None:
    facility_id = await factories.create_facility(
        service, factories.new_facility_id(), mapping="TIDAK-ADA"
    )
    tables = mapping_tables("LP-TJP")
    columns = tables["facility"]["columns"] | {"source_ref": "Nomor Baru", "status_note": "Ket."}
    for gone in ("absence", "release"):
        del columns[gone]
    words = {
        word: f"release:{kind}" for word, kind in tables["facility"]["values"]["release"].items()
    }
    body = {
        "facility": tables["facility"]
        | {"delimiter": ",", "columns": columns, "values": {"status_note": words}},
        "common": tables["common"],
    }
    admin = factories.administrator(service)
    path = f"/v1/facilities/{facility_id}/mappings"
    made = await admin.post(path, json=body)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    heading = ",".join(columns.values()) + ",Kode UPT"
    value = {
        columns["source_ref"]: new_id(),
        columns["name"]: "Uji Coba",
        columns["admission_date"]: "01/02/2026",
        "Ket.": "BM",
        columns["release_date"]: "10/11/2026",
        "Kode UPT": facility_id,
    }
    row = ",".join(value.get(name, "") for name in heading.split(","))
    data = f"{heading}\r\n{row}\r\n".encode("utf-8-sig")
    done = await factories.upload(service, facility_id, data, "2026-11-16T14:00:00+07:00")
    assert (done["state"], done["released_by_kind"]) == ("APPLIED", {"free": 1})


async def test_another_mapping_requires_the_version_in_force(service: AsgiClient) -> None:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    admin = factories.administrator(service)
    path = f"/v1/facilities/{facility_id}/mappings"
    body = mapping_tables("LP-TJP")
    first = await admin.post(path, json=body)
    without = await admin.post(path, json=body)
    other = await admin.post(path, json=body, headers={"if-match": "7"})
    second = await admin.post(path, json=body, headers={"if-match": first.headers["etag"]})
    assert [answer.status_code for answer in (first, without, other, second)] == [
        201,
        428,
        412,
        201,
    ]


async def test_an_unusable_mapping_is_refused_with_the_setting_at_fault(
    service: AsgiClient,
) -> None:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    admin = factories.administrator(service)
    path = f"/v1/facilities/{facility_id}/mappings"
    body = mapping_tables("LP-TJP")
    unusable = [
        ({"encoding": "klingon"}, "mapping_invalid"),
        ({"date_formats": ["yyyy.dd"]}, "mapping_invalid"),
        ({"columns": {"source_ref": "A"}}, "mapping_invalid"),
        ({"values": {"release": {"BM": "bebas"}}}, "code_unknown"),
        ({"values": {"warna": {"BM": "biru"}}}, "field_unknown"),
    ]
    for changes, code in unusable:
        refused = await admin.post(path, json=body | {"facility": body["facility"] | changes})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    incomplete = await admin.post(path, json={"facility": body["facility"]})
    assert incomplete.json()["field"] == "common"
