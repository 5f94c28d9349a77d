"""What training measures for those who watch it: the age of each facility's list, waiting, the staff inbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.mongo import updating
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.training.facilities.rules import Facility, FacilityKind
from services.training.metrics import rules
from services.training.metrics.jobs import measure
from tests.fakes import AsgiClient
from tests.training import factories

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
FACILITY = Facility(
    id="LP-UJI",
    name="Lapas Uji",
    kind=FacilityKind.LAPAS,
    time_zone="Asia/Makassar",
    live_from=date(2026, 11, 23),
)


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def measured(service: AsgiClient) -> None:
    await measure(
        Runner(
            service.app.state.engine,
            OperationContext(caller=system("training"), correlation_id=new_id()),
        )
    )


def test_a_facility_that_is_live_and_has_sent_no_list_counts_from_its_first_day_and_one_that_is_not_live_yet_not_at_all() -> (
    None
):
    later = replace(FACILITY, id="LP-NANTI", live_from=date(2026, 12, 1))
    assert rules.measure_snapshot_ages([FACILITY, later], {}, NOW) == {"LP-UJI": 35 * 3_600}
    assert rules.measure_snapshot_ages([FACILITY], {"LP-UJI": NOW - timedelta(hours=2)}, NOW) == {
        "LP-UJI": 7_200
    }


@pytest.mark.parametrize(
    ("days", "told"), [([], {}), ([4], {"0.5": 4, "0.9": 4}), (range(1, 11), {"0.5": 6, "0.9": 10})]
)
def test_waiting_is_told_as_the_median_and_what_nine_of_ten_stay_below(
    days: list[int], told: dict[str, float]
) -> None:
    assert (
        rules.measure_waiting_days([NOW - timedelta(days=number) for number in days], NOW) == told
    )


async def test_the_age_of_a_list_is_that_of_the_facilitys_last_sign_of_life(
    service: AsgiClient,
) -> None:
    place = await factories.place(service, [new_id()])
    await factories.database(service).bulk(
        "rosters",
        [
            updating(
                place.facility_id, {"$set": {"seen_at": datetime.now(UTC) - timedelta(hours=40)}}
            )
        ],
    )
    await measured(service)
    assert shown("training_snapshot_age_seconds", facility=place.facility_id) == pytest.approx(
        40 * 3_600, abs=60
    )
    await place.list_again()
    await measured(service)
    assert shown("training_snapshot_age_seconds", facility=place.facility_id) == pytest.approx(
        0, abs=60
    )


async def test_who_waits_for_a_seat_and_what_the_staff_has_not_settled_in_time_is_counted(
    service: AsgiClient,
) -> None:
    refs = [new_id(), new_id()]
    place = await factories.place(service, refs)
    await measured(service)
    waiting, overdue = (
        shown("training_waiting_applications") or 0,
        shown("training_overdue_tasks") or 0,
    )
    class_id = await factories.open_class(place)
    for ref in place.refs.values():
        answer = await place.officer.post(
            "/v1/class-applications", json={"participant_ref": ref, "class_ids": [class_id]}
        )
        assert answer.status_code == 201, answer.text
    [application, _] = await factories.database(service).find(
        "class_applications", {"class_id": class_id}
    )
    await factories.database(service).bulk(
        "class_applications",
        [
            updating(
                application["_id"],
                {"$set": {"submitted_at": datetime.now(UTC) - timedelta(days=400)}},
            )
        ],
    )
    await place.list_again(**{refs[1]: {"Kode UPT": "LAIN"}})
    [item] = await factories.database(service).find(
        "inbox_items", {"facility_id": place.facility_id}
    )
    await factories.database(service).bulk(
        "inbox_items", [updating(item["_id"], {"$set": {"due_on": "2020-01-01"}})]
    )
    await measured(service)
    assert shown("training_waiting_applications") == waiting + 2
    assert shown("training_waiting_days", share="0.9") == pytest.approx(400, abs=1)
    assert shown("training_overdue_tasks") == overdue + 1
