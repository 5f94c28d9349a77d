"""Write skew: whatever a rule depends on changes between its reading and its commit, and the rule is asked again on what is true then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.caller import Caller
from chassis.errors import DomainError
from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.manpower.agencies import usecases as agencies
from services.manpower.agencies.rules import AgencyNotActive, Status, Topic
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import (
    ApplicationState,
    ApplicationStepRefused,
    ConsentMissing,
)
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.rules import (
    CandidateGone,
    CertificateContent,
    Custody,
    Movement,
    SourceOrder,
    Unit,
)
from services.manpower.consents import usecases as consents
from services.manpower.consents.usecases import ConsentForm
from services.manpower.consumers import usecases as consumers
from services.manpower.consumers.rules import Consumer, ConsumerKind
from services.manpower.placements import usecases as placements
from services.manpower.placements.rules import PlacementKind, PlacementTerms
from services.manpower.transaction import Transaction
from services.manpower.vacancies import usecases as vacancies
from services.manpower.vacancies.rules import Closing, VacancyNotOpen
from services.manpower.visibility.rules import Column, Purpose
from tests.manpower import factories
from tests.manpower.harness import UNIT, Region

UseCase = Callable[[Transaction], Awaitable[Any]]
TERMS = PlacementTerms(
    kind=PlacementKind.EMPLOYEE, started_on=utc_now().date(), permit_number="izin-contoh-9"
)


@dataclass(slots=True)
class Scene:
    """A candidate with an accepted application to a vacancy with one slot, and another one beside it."""

    region: Region
    ref: str = ""
    vacancy: str = ""
    application: str = ""
    other: str = ""
    consent: str = ""

    async def set(self, until: str) -> None:
        self.vacancy = await self.region.vacancy(1)
        self.ref, self.application, self.consent = await self._applicant(until)
        if until == "ACCEPTED":
            _, self.other, _ = await self._applicant(until)

    async def _applicant(self, until: str) -> tuple[str, str, str]:
        ref = await self.region.admitted()
        consent = (await self.region.consents(ref, "employer_share", fields=("name",)))["id"]
        if until == "NONE":
            return ref, "", consent
        application = await self.region.applies(
            ref, self.vacancy, until="CONSENTED" if until == "DRAFT" else until
        )
        return ref, application, consent

    # What is asked

    def consents(self) -> UseCase:
        form = ConsentForm(
            candidate_id=self.ref,
            purpose=Purpose.DINAS_REGISTRATION,
            recipient=self.region.dinas_id,
            fields=frozenset({Column.SKILLS}),
            text_version_hash=factories.text_hash(Purpose.DINAS_REGISTRATION),
            given_at=utc_now(),
            witness_ref="petugas-7",
            expires_at=utc_now() + timedelta(days=1),
        )
        return partial(consents.give_consent, form)

    def posts(self) -> UseCase:
        return partial(
            vacancies.post_vacancy,
            factories.vacancy(
                id=new_id(),
                employer_id=self.region.employer_id,
                valid_until=(utc_now() + timedelta(days=1)).date(),
            ),
            1,
        )

    def routes(self) -> UseCase:
        return partial(agencies.assign_route, "19.02", Topic.TRAINING, self.region.dinas_id)

    def asks_for_consumer(self) -> UseCase:
        consumer = Consumer(
            id=new_id(),
            agency_id=self.region.dinas_id,
            kind=ConsumerKind.SYSTEM,
            title="Sistem",
            purpose="umpan",
            legal_basis="surat",
            requested_by="",
        )
        return partial(consumers.request_consumer, consumer)

    def applies(self) -> UseCase:
        return partial(applications.draft_application, self.ref, self.vacancy)

    def submits(self) -> UseCase:
        return partial(
            applications.advance_application, self.application, ApplicationState.SUBMITTED, ""
        )

    def places(self) -> UseCase:
        return partial(placements.place_application, self.application, TERMS)

    def places_alone(self) -> UseCase:
        return partial(placements.place_by_own_effort, self.ref, TERMS)

    # What happens meanwhile

    def dinas_suspended(self) -> UseCase:
        return partial(
            agencies.change_agency_status, self.region.dinas_id, Status.SUSPENDED, "coba"
        )

    def employer_suspended(self) -> UseCase:
        return partial(
            agencies.change_agency_status, self.region.employer_id, Status.SUSPENDED, "coba"
        )

    def dies(self) -> UseCase:
        told = SourceOrder(at=utc_now(), sequence=10_000)
        return partial(
            candidates.record_movement,
            Movement(
                candidate_id=self.ref,
                facility_id=self.region.facility,
                custody=Custody.ENDED,
                kind="death",
                effective_on=utc_now().date(),
                source_order=told,
            ),
        )

    def consent_withdrawn(self) -> UseCase:
        return partial(consents.withdraw_consent, self.consent)

    def vacancy_closed(self) -> UseCase:
        return partial(vacancies.close_vacancy, self.vacancy, Closing.WITHDRAWN)

    def slot_taken(self) -> UseCase:
        return partial(placements.place_application, self.other, TERMS)


RACES: list[
    tuple[str, Callable[[Scene], UseCase], Callable[[Scene], UseCase], type[DomainError]]
] = [
    ("NONE", Scene.consents, Scene.dinas_suspended, AgencyNotActive),
    ("NONE", Scene.consents, Scene.dies, CandidateGone),
    ("NONE", Scene.posts, Scene.employer_suspended, AgencyNotActive),
    ("NONE", Scene.routes, Scene.dinas_suspended, AgencyNotActive),
    ("NONE", Scene.asks_for_consumer, Scene.dinas_suspended, AgencyNotActive),
    ("NONE", Scene.applies, Scene.vacancy_closed, VacancyNotOpen),
    ("NONE", Scene.applies, Scene.dies, CandidateGone),
    ("NONE", Scene.places_alone, Scene.dies, CandidateGone),
    ("CONSENTED", Scene.submits, Scene.consent_withdrawn, ApplicationStepRefused),
    ("CONSENTED", Scene.submits, Scene.vacancy_closed, ApplicationStepRefused),
    ("ACCEPTED", Scene.places, Scene.consent_withdrawn, ConsentMissing),
    ("ACCEPTED", Scene.places, Scene.vacancy_closed, ApplicationStepRefused),
    ("ACCEPTED", Scene.places, Scene.slot_taken, ApplicationStepRefused),
    ("ACCEPTED", Scene.places, Scene.dies, CandidateGone),
]


@pytest.mark.scenario("MP-5/race")
@pytest.mark.parametrize(
    ("until", "asked", "meanwhile", "refusal"),
    RACES,
    ids=[f"{asked.__name__}-{meanwhile.__name__}" for _, asked, meanwhile, _ in RACES],
)
async def test_a_rule_is_asked_again_when_what_it_depends_on_changes_before_its_commit(
    region: Region,
    until: str,
    asked: Callable[[Scene], UseCase],
    meanwhile: Callable[[Scene], UseCase],
    refusal: type[DomainError],
) -> None:
    scene = Scene(region)
    await scene.set(until)
    with pytest.raises(refusal):
        await interrupted(region, asked(scene), meanwhile(scene))


async def test_a_skill_gained_while_an_application_is_sent_leaves_no_flag_on_it(
    region: Region,
) -> None:
    ref, vacancy = await region.admitted(), await region.vacancy(units=(UNIT,))
    await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, vacancy, until="CONSENTED")
    content = CertificateContent(
        scheme_id="skema-jahit",
        scheme_title="Menjahit",
        units=(Unit(code=UNIT, title="Menjahit"),),
        valid_from=utc_now() - timedelta(days=1),
        valid_until=utc_now() + timedelta(days=1),
    )
    submits = partial(applications.advance_application, application, ApplicationState.SUBMITTED, "")
    sent = await interrupted(
        region, submits, partial(candidates.record_certificate, ref, new_id(), content)
    )
    assert (sent.state, sent.flags) == (ApplicationState.SUBMITTED, frozenset())


async def interrupted(region: Region, asked: UseCase, meanwhile: UseCase) -> Any:
    """Run `asked`; `meanwhile` commits between its reading and its writing."""
    times: list[int] = []

    async def interrupt(_tx: Transaction) -> None:
        if not times:
            times.append(1)
            await region.as_service(meanwhile)

    here = region.engine
    engine = TransactionManager(
        here.db,
        here.transaction,
        here.ports,
        before_commit=[interrupt, *here.before_commit],
        after_commit=here.after_commit,
    )
    caller = Caller(
        subject="user-9", role="case_officer", claims={"facility": frozenset({region.facility})}
    )
    try:
        return await Runner(engine, OperationContext(caller=caller, correlation_id=new_id()))(asked)
    finally:
        assert times == [1]
