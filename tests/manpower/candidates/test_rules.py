"""Rules of candidates: the same facts in any order give the same candidate."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.manpower.candidates import rules
from services.manpower.candidates.custody import Custody, Movement
from services.manpower.candidates.rules import Attention, Candidate, CandidateGone, Horizon
from services.manpower.candidates.skills import (
    CertificateContent,
    Course,
    SourceOrder,
    Standing,
    Unit,
    WorkMonth,
    sum_experience,
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
CUSTODIES = (Custody.INSIDE, Custody.RELEASED, Custody.INSIDE, Custody.ENDED)
FACILITIES = ("LP-TJP", "LP-PKP", "RT-MTK")


def at(minute: int) -> SourceOrder:
    return SourceOrder(at=START + timedelta(minutes=minute), sequence=minute)


def movement(
    minute: int,
    custody: Custody = Custody.INSIDE,
    facility: str = "LP-TJP",
    *,
    is_admission: bool = False,
) -> Movement:
    source_order = at(minute)
    return Movement(
        candidate_id="person-1",
        facility_id=facility,
        custody=custody,
        kind="new",
        effective_on=date(2026, 1, 1),
        source_order=source_order,
        admitted_at=source_order.at if is_admission else None,
    )


def admitted(minute: int = 1, facility: str = "LP-TJP") -> Candidate:
    return rules.record_movement(None, movement(minute, facility=facility, is_admission=True))


def planned(candidate: Candidate, expected_on: date, minute: int = 1) -> Candidate:
    return rules.plan_release(candidate, expected_on, "free", at(minute))


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


def apply_fact(candidate: Candidate, fact: Fact) -> Candidate:
    """Apply one fact. Its kind and number determine all of it, so it is the same at any time."""
    kind, number = fact
    certificate_id = f"certificate-{number % 2}"
    match kind:
        case "moved":
            return rules.record_movement(
                candidate,
                movement(
                    number,
                    CUSTODIES[number % 4],
                    FACILITIES[number % 3],
                    is_admission=number % 4 == 2,
                ),
            )
        case "planned":
            return planned(candidate, date(2027, number % 12 + 1, 15), number)
        case "certified":
            return rules.record_certificate(candidate, certificate_id, CONTENT)
        case "standing":
            standing = tuple(Standing)[number % 3]
            return rules.record_standing(candidate, certificate_id, standing, at(number))
        case "completed":
            return rules.record_course(candidate, course(number % 3))
        case _:
            return rules.record_work(candidate, work(number, number * 10))


def candidate_from(facts: list[Fact]) -> Candidate:
    candidate = admitted(-1)
    for fact in facts:
        candidate = apply_fact(candidate, fact)
    return candidate


FACTS = st.lists(
    st.tuples(
        st.sampled_from(["moved", "planned", "certified", "standing", "completed", "worked"]),
        st.integers(0, 11),
    ),
    max_size=12,
)


@pytest.mark.scenario("P13/movements")
@for_all(facts=FACTS, data=st.data())
def test_the_same_facts_in_any_order_give_the_same_candidate(
    facts: list[Fact], data: st.DataObject
) -> None:
    """Half of the facts come twice."""
    shuffled = data.draw(st.permutations(facts + facts[: len(facts) // 2]))
    assert candidate_from(shuffled) == candidate_from(facts)


@for_all(facts=FACTS, cut=st.integers(0, 12), late=FACTS)
def test_a_merge_gives_the_same_candidate_whichever_of_the_two_knew_a_fact(
    facts: list[Fact], cut: int, late: list[Fact]
) -> None:
    into = candidate_from(facts[:cut])
    other = replace(candidate_from(facts[cut:]), id="person-2")
    merged = rules.merge(into, other, "person-1")
    for fact in late:
        merged = apply_fact(merged, fact)
    assert merged == candidate_from(facts + late)


def test_a_merge_into_an_unknown_person_keeps_the_facts_under_its_ref() -> None:
    former = replace(candidate_from([("certified", 1)]), version=7)
    merged = rules.merge(None, former, "person-2")
    assert (merged.id, merged.version, merged.skills) == ("person-2", 0, former.skills)


@for_all(order=st.permutations([("person-1", 1, 30), ("person-2", 2, 12), ("person-2", 3, 42)]))
def test_after_a_merge_the_total_of_the_survivor_counts_in_any_order(
    order: list[tuple[str, int, int]],
) -> None:
    """The last total comes after the merge."""
    candidates = {ref: factories.candidate(id=ref) for ref in ("person-1", "person-2")}
    for ref, minute, units in order[:2]:
        candidates[ref] = rules.record_work(candidates[ref], work(minute, units))
    survivor = rules.merge(candidates["person-2"], candidates["person-1"], "person-2")
    for _, minute, units in order[2:]:
        survivor = rules.record_work(survivor, work(minute, units))
    assert [entry.units_total for entry in sum_experience(survivor.work)] == [42]


@pytest.mark.scenario("P13/movements")
def test_a_transfer_before_the_admission_makes_the_candidate_and_counts() -> None:
    transferred = rules.record_movement(None, movement(2, facility="LP-PKP"))
    both = rules.record_movement(transferred, movement(1, is_admission=True))
    assert both.visibility.facility_id == "LP-PKP"
    assert both.stay == transferred.stay


def test_a_late_release_does_not_undo_a_newer_admission() -> None:
    inside = admitted(5, "LP-PKP")
    after = rules.record_movement(inside, movement(3, Custody.RELEASED))
    assert after.stay.custody is Custody.INSIDE


def test_only_a_movement_that_ends_the_custody_is_its_end() -> None:
    inside = admitted()
    ended = rules.record_movement(inside, movement(2, Custody.ENDED))
    assert rules.has_custody_ended(inside, ended)
    assert not rules.has_custody_ended(ended, ended)
    assert not rules.has_custody_ended(inside, inside)


@pytest.mark.parametrize(
    ("today", "horizon"),
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
    today: date, horizon: Horizon
) -> None:
    candidate = planned(factories.candidate(), date(2027, 6, 17))
    assert rules.release_horizon(candidate, today) is horizon


@pytest.mark.scenario("P5/horizon")
@for_all(
    first=st.integers(1, 30),
    second=st.integers(1, 30),
    today=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
)
def test_two_release_days_of_one_month_look_the_same_on_every_day(
    first: int, second: int, today: date
) -> None:
    first_plan = planned(factories.candidate(), date(2027, 6, first))
    second_plan = planned(factories.candidate(), date(2027, 6, second))
    assert first_plan == second_plan
    first_horizon = rules.release_horizon(first_plan, today)
    assert first_horizon is rules.release_horizon(second_plan, today)


def test_without_a_plan_the_horizon_is_unknown() -> None:
    inside = factories.candidate()
    assert rules.release_horizon(inside, TODAY) is Horizon.UNKNOWN
    assert rules.available_from(inside) is None


def test_after_the_release_the_horizon_says_released() -> None:
    released = factories.candidate(stay=factories.stay(Custody.RELEASED, date(2026, 11, 2)))
    assert rules.release_horizon(released, TODAY) is Horizon.RELEASED
    assert rules.available_from(released) == "2026-11"


def test_the_plan_of_a_former_stay_does_not_count_after_a_readmission() -> None:
    before = planned(admitted(1), date(2026, 6, 1), 1)
    released = rules.record_movement(before, movement(5, Custody.RELEASED))
    readmitted = rules.record_movement(released, movement(9, is_admission=True))
    assert rules.available_from(before) == "2026-06"
    assert rules.available_from(readmitted) is None
    assert rules.available_from(planned(readmitted, date(2030, 2, 3), 9)) == "2030-02"


def test_a_transfer_keeps_the_plan() -> None:
    candidate = planned(admitted(1), date(2027, 6, 1), 2)
    transferred = rules.record_movement(candidate, movement(5, facility="LP-PKP"))
    assert rules.available_from(transferred) == "2027-06"


@pytest.mark.scenario("P17/skills")
def test_a_certificate_proves_its_units_only_while_it_is_issued() -> None:
    """A revoked certificate never counts again."""
    issued = rules.record_certificate(factories.candidate(), "certificate-1", CONTENT)
    suspended = rules.record_standing(issued, "certificate-1", Standing.SUSPENDED, at(1))
    reinstated = rules.record_standing(suspended, "certificate-1", Standing.ISSUED, at(2))
    revoked = rules.record_standing(reinstated, "certificate-1", Standing.REVOKED, at(3))
    later = rules.record_standing(revoked, "certificate-1", Standing.ISSUED, at(9))
    held = [
        rules.held_units(candidate, factories.NOW)
        for candidate in (issued, suspended, reinstated, revoked, later)
    ]
    assert held == [{"U-1"}, set(), {"U-1"}, set(), set()]


def test_a_certificate_revoked_before_its_issue_arrives_proves_nothing() -> None:
    revoked = rules.record_standing(factories.candidate(), "certificate-1", Standing.REVOKED, at(3))
    issued = rules.record_certificate(revoked, "certificate-1", CONTENT)
    assert rules.held_units(issued, factories.NOW) == set()


@pytest.mark.parametrize(
    ("seconds", "is_held"),
    [(-1, False), (0, True), (1096 * 86_400 - 1, True), (1096 * 86_400, False)],
)
def test_a_certificate_proves_its_units_from_its_first_to_its_last_moment(
    seconds: int, *, is_held: bool
) -> None:
    certified = rules.record_certificate(factories.candidate(), "certificate-1", CONTENT)
    assert bool(rules.held_units(certified, START + timedelta(seconds=seconds))) is is_held


def test_the_latest_total_of_a_month_replaces_the_former_one() -> None:
    """The former total comes once more at the end."""
    candidate = factories.candidate()
    for entry in (work(1, 30), work(2, 28), work(1, 30)):
        candidate = rules.record_work(candidate, entry)
    [experience] = sum_experience(candidate.work)
    assert experience.units_total == 28


def test_experience_adds_months_and_keeps_workshops_apart() -> None:
    candidate = factories.candidate()
    for entry in (
        work(1, 30),
        work(2, 20, month="2026-02"),
        work(3, 0, month="2026-03"),
        work(4, 5, workshop="w-2"),
    ):
        candidate = rules.record_work(candidate, entry)
    totals = [
        (experience.workshop_id, experience.units_total, experience.months)
        for experience in sum_experience(candidate.work)
    ]
    assert totals == [("w-1", 50, 2), ("w-2", 5, 1)]


def test_after_death_or_escape_nothing_new_may_begin() -> None:
    with pytest.raises(CandidateGone):
        rules.require_present(factories.candidate(stay=factories.stay(Custody.ENDED)))


def test_a_question_for_an_officer_stays_until_it_is_settled() -> None:
    waiting = rules.request_attention(factories.candidate(), Attention.RELEASE_KIND_UNKNOWN)
    assert waiting.attention == {Attention.RELEASE_KIND_UNKNOWN}
    settled = rules.clear_attention(waiting, [Attention.RELEASE_KIND_UNKNOWN])
    assert settled.attention == set()
