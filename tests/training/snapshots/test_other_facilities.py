"""A facility that does not hold a person raises a doubt; big changes need a second person."""

from __future__ import annotations

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import FacilityHarness


def people(number: int) -> dict[str, dict[str, str]]:
    """Return new people without values of their own."""
    return {new_id(): {} for _ in range(number)}


async def read_state(facility: FacilityHarness, source_ref: str) -> tuple[str, str]:
    person = await factories.read_person(facility, source_ref)
    return person["state"], person["facility_id"]


async def test_a_release_by_another_facility_is_a_conflict_at_both(service: AsgiClient) -> None:
    person = new_id()
    holder = await factories.create_harness(service, [person])
    other = await factories.create_harness(service, [new_id() for _ in range(3)])
    class_id = await factories.open_class(holder)
    enrolment_id = await factories.enrol(holder, class_id, person)
    day = f"{other.taken_at:%d/%m/%Y}"
    done = await other.list_again(**{person: {"Ket. Keluar": "BM", "Tanggal Keluar": day}})
    assert (done["state"], done["counts"]) == ("APPLIED", {})
    assert await read_state(holder, person) == ("held", holder.facility_id)
    assert (await factories.read_enrolment(holder, enrolment_id))["state"] == "ACTIVE"
    for facility in (holder, other):
        [task] = await factories.list_all(
            facility.officer, "/v1/training-tasks", kind="CUSTODY_CONFLICT"
        )
        assert task["facts"]["source_ref"] == person


async def test_a_list_cannot_merge_people_of_another_facility(service: AsgiClient) -> None:
    first = new_id()
    second = new_id()
    holder = await factories.create_harness(service, [first, second])
    other = await factories.create_harness(service, [new_id() for _ in range(3)])
    for _ in range(2):
        done = await other.list_again(**{first: {"Digabung ke": second}})
        assert (done["state"], done["counts"]) == ("APPLIED", {})
    for ref in (first, second):
        assert await read_state(holder, ref) == ("held", holder.facility_id)
    [proposal] = await factories.list_all(
        holder.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    assert {proposal["participant_ref"], proposal["facts"]["other_ref"]} == set(
        holder.refs.values()
    )
    assert not await factories.list_all(other.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL")


async def test_a_transfer_opens_a_task_where_the_person_left(service: AsgiClient) -> None:
    person = new_id()
    left = await factories.create_harness(service, [person, *(new_id() for _ in range(10))])
    other = await factories.create_harness(service, [new_id() for _ in range(3)])
    day = f"{other.taken_at:%d/%m/%Y}"
    done = await other.list_again(**{person: {"Tanggal Masuk": day}})
    assert done["counts"]["transferred"] == 1
    query = {"kind": "TRANSFERRED_AWAY"}
    [task] = await factories.list_all(left.officer, "/v1/training-tasks", **query)
    assert (task["state"], task["facts"]["to"]) == ("OPEN", other.facility_id)
    assert not await factories.list_all(other.officer, "/v1/training-tasks", **query)
    await left.list_again(**{person: None})
    [task] = await factories.list_all(left.officer, "/v1/training-tasks", **query)
    assert (task["state"], task["resolution"]) == ("RESOLVED", "no_longer_listed")


async def test_many_transfers_at_once_wait_for_a_second_person(service: AsgiClient) -> None:
    refs = [new_id() for _ in range(11)]
    left = await factories.create_harness(service, refs)
    other = await factories.create_harness(service, [new_id() for _ in range(30)])
    day = f"{other.taken_at:%d/%m/%Y}"
    held = await other.list_again(**{ref: {"Tanggal Masuk": day} for ref in refs})
    assert (held["state"], held["reason"]) == ("QUARANTINED", "TRANSFERS_IN")
    assert await read_state(left, refs[0]) == ("held", left.facility_id)
    head = factories.officer(service, other.facility_id, "head", "kepala")
    path = f"/v1/snapshots/{held['snapshot_id']}/release"
    assert (await factories.change(head, path, {"reason": "pindahan massal"})).status_code == 200
    done = await factories.wait_until_applied(head, held["snapshot_id"])
    assert done["counts"]["transferred"] == 11


async def test_people_who_were_listed_before_count_as_transfers_too(service: AsgiClient) -> None:
    refs = [new_id() for _ in range(11)]
    left = await factories.create_harness(service, refs)
    other = await factories.create_harness(service, [new_id() for _ in range(30)])
    ignored = await other.list_again(**{ref: {"Tanggal Masuk": "01/01/2026"} for ref in refs})
    assert (ignored["state"], ignored["counts"]) == ("APPLIED", {})
    day = f"{other.taken_at:%d/%m/%Y}"
    held = await other.list_again(**{ref: {"Tanggal Masuk": day} for ref in refs})
    assert (held["state"], held["reason"]) == ("QUARANTINED", "TRANSFERS_IN")
    assert await read_state(left, refs[0]) == ("held", left.facility_id)


async def test_ten_transfers_at_once_take_effect(service: AsgiClient) -> None:
    refs = [new_id() for _ in range(10)]
    await factories.create_harness(service, refs)
    other = await factories.create_harness(service, [new_id() for _ in range(30)])
    day = f"{other.taken_at:%d/%m/%Y}"
    done = await other.list_again(**{ref: {"Tanggal Masuk": day} for ref in refs})
    assert done["counts"]["transferred"] == 10


async def test_many_more_rows_than_before_wait_for_a_second_person(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id() for _ in range(30)])
    grown = await facility.list_again(**people(20))
    assert grown["state"] == "APPLIED"
    held = await facility.list_again(**people(21))
    assert (held["state"], held["reason"]) == ("QUARANTINED", "ROW_COUNT_UP")
