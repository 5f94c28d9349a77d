"""Candidates: the same facts in any order give the same candidate, and only a month of release is ever known."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.manpower.candidates import rules
from services.manpower.candidates.rules import (
    Attention,
    Candidate,
    CandidateGone,
    CertificateContent,
    Course,
    Custody,
    Horizon,
    Movement,
    SourceOrder,
    Standing,
    Unit,
    WorkMonth,
)
from tests.manpower import factories

Fact = tuple[str, int]
START = datetime(2026, 1, 1, tzinfo=UTC)
CONTENT = CertificateContent(
    scheme_id="scheme-1",
    scheme_title="Menjahit",
    units=(Unit(code="U-1", title="Satu"),),
    valid_from=START,
    valid_until=START + timedelta(days=1096),
)
TODAY = date(2026, 11, 24)


def at(minute: int) -> SourceOrder:
    return SourceOrder(at=START + timedelta(minutes=minute), sequence=minute)


def movement(
    minute: int,
    custody: Custody = Custody.INSIDE,
    facility: str = "LP-TJP",
    *,
    admission: bool = False,
    person: str = "person-1",
) -> Movement:
    told = at(minute)
    return Movement(
        candidate_id=person,
        facility_id=facility,
        custody=custody,
        kind="new",
        effective_on=date(2026, 1, 1),
        source_order=told,
        admitted_at=told.at if admission else None,
    )


def work(minute: int, units: int, *, month: str = "2026-01", workshop: str = "w-1") -> WorkMonth:
    return WorkMonth(
        workshop_id=workshop, month=month, unit_kind="hour", units_total=units, told=at(minute)
    )


def course(number: int) -> Course:
    return Course(
        enrolment_id=f"enrolment-{number}",
        title="Menjahit",
        units=(),
        lesson_hours=40,
        completed_on=date(2026, 1, 1),
    )


def tell(candidate: Candidate, fact: Fact) -> Candidate:
    """One fact, all of it a function of its kind and number, so that the same fact is the same whenever it comes."""
    kind, number = fact
    match kind:
        case "moved":
            custody = (Custody.INSIDE, Custody.RELEASED, Custody.INSIDE, Custody.ENDED)[number % 4]
            return rules.record_movement(
                candidate,
                movement(
                    number,
                    custody,
                    ("LP-TJP", "LP-PKP", "RT-MTK")[number % 3],
                    admission=number % 4 == 2,
                ),
            )
        case "planned":
            return rules.plan_release(
                candidate, date(2027, number % 12 + 1, 15), "free", at(number)
            )
        case "certified":
            return rules.record_certificate(candidate, f"certificate-{number % 2}", CONTENT)
        case "stands":
            return rules.record_standing(
                candidate, f"certificate-{number % 2}", tuple(Standing)[number % 3], at(number)
            )
        case "completed":
            return rules.record_course(candidate, course(number % 3))
        case _:
            return rules.record_work(candidate, work(number, number * 10))


def told(facts: list[Fact]) -> Candidate:
    candidate = rules.record_movement(None, movement(-1, admission=True))
    for fact in facts:
        candidate = tell(candidate, fact)
    return candidate


FACTS = st.lists(
    st.tuples(
        st.sampled_from(["moved", "planned", "certified", "stands", "completed", "worked"]),
        st.integers(0, 11),
    ),
    max_size=12,
)


@pytest.mark.scenario("P13/movements")
@for_all(facts=FACTS, data=st.data())
def test_the_same_facts_in_any_order_and_with_duplicates_give_the_same_candidate(
    facts: list[Fact], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(facts + facts[: len(facts) // 2]))
    assert told(again) == told(facts)


@for_all(facts=FACTS, cut=st.integers(0, 12), late=FACTS)
def test_a_merge_gives_the_same_candidate_whichever_of_the_two_knew_a_fact(
    facts: list[Fact], cut: int, late: list[Fact]
) -> None:
    one, other = told(facts[:cut]), replace(told(facts[cut:]), id="person-2")
    merged = rules.merge(one, other, "person-1")
    for fact in late:
        merged = tell(merged, fact)
    assert merged == told(facts + late)


def test_a_merge_into_somebody_unknown_keeps_what_was_known_under_the_surviving_ref() -> None:
    gone = replace(told([("certified", 1)]), version=7)
    merged = rules.merge(None, gone, "person-2")
    assert (merged.id, merged.version, merged.skills) == ("person-2", 0, gone.skills)


@for_all(order=st.permutations([("person-1", 1, 30), ("person-2", 2, 12), ("person-2", 3, 42)]))
def test_after_a_merge_the_survivors_total_counts_however_late_the_former_ones_come(
    order: list[tuple[str, int, int]],
) -> None:
    known = {ref: factories.candidate(id=ref) for ref in ("person-1", "person-2")}
    for ref, minute, units in order[:2]:
        known[ref] = rules.record_work(known[ref], work(minute, units))
    survivor = rules.merge(known["person-2"], known["person-1"], "person-2")
    for _, minute, units in order[2:]:
        survivor = rules.record_work(survivor, work(minute, units))
    assert [each.units_total for each in rules.sum_experience(survivor)] == [42]


@pytest.mark.scenario("P13/movements")
def test_a_transfer_told_before_the_admission_makes_the_candidate_and_stands() -> None:
    transferred = rules.record_movement(None, movement(2, facility="LP-PKP"))
    both = rules.record_movement(transferred, movement(1, facility="LP-TJP", admission=True))
    assert both.visibility.facility_id == "LP-PKP"
    assert both.stay == transferred.stay


def test_a_release_told_late_by_the_former_facility_does_not_undo_a_newer_admission() -> None:
    inside = rules.record_movement(None, movement(5, facility="LP-PKP", admission=True))
    assert (
        rules.record_movement(inside, movement(3, Custody.RELEASED)).stay.custody is Custody.INSIDE
    )


@pytest.mark.parametrize(
    ("today", "bucket"),
    [
        (date(2026, 5, 31), Horizon.OVER_12),
        (date(2026, 6, 1), Horizon.UP_TO_12),
        (date(2026, 12, 1), Horizon.UP_TO_6),
        (date(2027, 3, 1), Horizon.UP_TO_3),
        (date(2027, 5, 1), Horizon.UP_TO_1),
        (date(2027, 6, 30), Horizon.UP_TO_1),
        (date(2027, 8, 1), Horizon.UP_TO_1),
    ],
)
def test_the_horizon_counts_calendar_months_to_the_month_of_release(
    today: date, bucket: Horizon
) -> None:
    assert (
        rules.release_horizon(
            rules.plan_release(factories.candidate(), date(2027, 6, 17), "free", at(1)), today
        )
        is bucket
    )


@pytest.mark.scenario("P5/horizon")
@for_all(
    first=st.integers(1, 30),
    second=st.integers(1, 30),
    today=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
)
def test_two_release_days_of_one_month_look_the_same_on_every_day(
    first: int, second: int, today: date
) -> None:
    one, other = (
        rules.plan_release(factories.candidate(), date(2027, 6, day), "free", at(1))
        for day in (first, second)
    )
    assert one == other
    assert rules.release_horizon(one, today) is rules.release_horizon(other, today)


def test_without_a_plan_the_horizon_is_unknown_and_after_the_release_it_says_so() -> None:
    inside, released = (
        factories.candidate(),
        factories.candidate(stay=factories.stay(Custody.RELEASED, date(2026, 11, 2))),
    )
    assert (rules.release_horizon(inside, TODAY), rules.available_from(inside)) == (
        Horizon.UNKNOWN,
        None,
    )
    assert (rules.release_horizon(released, TODAY), rules.available_from(released)) == (
        Horizon.RELEASED,
        "2026-11",
    )


def test_the_plan_of_a_former_stay_does_not_count_after_a_readmission() -> None:
    before = rules.plan_release(
        rules.record_movement(None, movement(1, admission=True)), date(2026, 6, 1), "free", at(1)
    )
    again = rules.record_movement(
        rules.record_movement(before, movement(5, Custody.RELEASED)), movement(9, admission=True)
    )
    assert rules.available_from(before) == "2026-06"
    assert rules.available_from(again) is None
    assert (
        rules.available_from(rules.plan_release(again, date(2030, 2, 3), "free", at(9)))
        == "2030-02"
    )


def test_a_transfer_keeps_the_plan() -> None:
    planned = rules.plan_release(
        rules.record_movement(None, movement(1, admission=True)), date(2027, 6, 1), "free", at(2)
    )
    assert (
        rules.available_from(rules.record_movement(planned, movement(5, facility="LP-PKP")))
        == "2027-06"
    )


@pytest.mark.scenario("P17/certificate")
def test_a_suspended_certificate_proves_nothing_until_it_is_reinstated_and_a_revoked_one_never_again() -> (
    None
):
    issued = rules.record_certificate(factories.candidate(), "certificate-1", CONTENT)
    suspended = rules.record_standing(issued, "certificate-1", Standing.SUSPENDED, at(1))
    reinstated = rules.record_standing(suspended, "certificate-1", Standing.ISSUED, at(2))
    revoked = rules.record_standing(reinstated, "certificate-1", Standing.REVOKED, at(3))
    assert [
        rules.held_units(each, factories.NOW) for each in (issued, suspended, reinstated, revoked)
    ] == [{"U-1"}, set(), {"U-1"}, set()]
    assert (
        rules.held_units(
            rules.record_standing(revoked, "certificate-1", Standing.ISSUED, at(9)),
            factories.NOW,
        )
        == set()
    )


def test_a_certificate_revoked_before_its_issue_is_told_proves_nothing() -> None:
    revoked = rules.record_standing(factories.candidate(), "certificate-1", Standing.REVOKED, at(3))
    assert (
        rules.held_units(rules.record_certificate(revoked, "certificate-1", CONTENT), factories.NOW)
        == set()
    )


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [(-1, False), (0, True), (1096 * 86_400 - 1, True), (1096 * 86_400, False)],
)
def test_a_certificate_proves_its_units_from_its_first_to_its_last_instant(
    seconds: int, *, holds: bool
) -> None:
    certified = rules.record_certificate(factories.candidate(), "certificate-1", CONTENT)
    assert bool(rules.held_units(certified, START + timedelta(seconds=seconds))) is holds


def test_the_total_of_a_month_told_last_replaces_the_former_one() -> None:
    worked = rules.record_work(rules.record_work(factories.candidate(), work(1, 30)), work(2, 28))
    assert rules.sum_experience(rules.record_work(worked, work(1, 30)))[0].units_total == 28


def test_experience_adds_months_and_keeps_workshops_apart() -> None:
    candidate = factories.candidate()
    for entry in (
        work(1, 30),
        work(2, 20, month="2026-02"),
        work(3, 0, month="2026-03"),
        work(4, 5, workshop="w-2"),
    ):
        candidate = rules.record_work(candidate, entry)
    assert [
        (each.workshop_id, each.units_total, each.months)
        for each in rules.sum_experience(candidate)
    ] == [("w-1", 50, 2), ("w-2", 5, 1)]


def test_after_death_or_escape_nothing_new_may_begin() -> None:
    with pytest.raises(CandidateGone):
        rules.require_present(factories.candidate(stay=factories.stay(Custody.ENDED)))


def test_a_task_for_an_officer_stays_until_it_is_looked_at() -> None:
    asked = rules.request_attention(factories.candidate(), Attention.RELEASE_KIND_UNKNOWN)
    assert asked.attention == {Attention.RELEASE_KIND_UNKNOWN}
    assert rules.clear_attention(asked, Attention.RELEASE_KIND_UNKNOWN).attention == set()
