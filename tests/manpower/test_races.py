"""Write skew: a rule runs again when its facts change before its commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.caller import Caller
from chassis.errors import DomainError, VersionDiffers
from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.manpower.agencies import usecases as agencies
from services.manpower.agencies.routing_table import Topic
from services.manpower.agencies.rules import AgencyNotActive, Status
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import (
    ApplicationState,
    ApplicationStepRefused,
    ConsentMissing,
)
from services.manpower.candidates.custody import Custody, Movement
from services.manpower.candidates.rules import CandidateGone
from services.manpower.candidates.skills import CertificateContent, SourceOrder, Unit
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
from tests.manpower.fakes import UNIT
from tests.manpower.harness import RegionHarness

UseCase = Callable[[Transaction], Awaitable[Any]]
TERMS = PlacementTerms(
    kind=PlacementKind.EMPLOYEE, started_on=utc_now().date(), permit_number="izin-contoh-9"
)


@dataclass(slots=True)
class RaceHarness:
    """A candidate with an application to a vacancy with one slot, and the versions of all.

    With an accepted application a second candidate has one too.
    """

    region: RegionHarness
    ref: str = ""
    vacancy: str = ""
    application: str = ""
    other_application: str = ""
    consent: str = ""

    async def prepare(self, until: str) -> None:
        """Take the application as far as `until`; "NONE" = there is no application."""
        self.vacancy = await self.region.vacancy(1)
        self.ref, self.application, self.consent = await self._applicant(until)
        if until == "ACCEPTED":
            _, self.other_application, _ = await self._applicant(until)

    async def _applicant(self, until: str) -> tuple[str, str, str]:
        ref = await self.region.admitted()
        consent = (await self.region.consents(ref, "employer_share", fields=("name",)))["id"]
        if until == "NONE":
            return ref, "", consent
        return ref, await self.region.applies(ref, self.vacancy, until=until), consent

    # Commands whose rule is raced

    def give_consent(self) -> UseCase:
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

    def post_vacancy(self) -> UseCase:
        vacancy = factories.vacancy(
            id=new_id(),
            employer_id=self.region.employer_id,
            valid_until=(utc_now() + timedelta(days=1)).date(),
        )
        return partial(vacancies.post_vacancy, vacancy, 1)

    def assign_route(self) -> UseCase:
        return partial(agencies.assign_route, "19.02", Topic.TRAINING, self.region.dinas_id, None)

    def request_consumer(self) -> UseCase:
        consumer = Consumer(
            id=new_id(),
            owner="",
            agency_id=self.region.dinas_id,
            kind=ConsumerKind.SYSTEM,
            title="Sistem",
            purpose="umpan",
            legal_basis="surat",
            requested_by="",
        )
        return partial(consumers.request_consumer, consumer)

    def draft_application(self) -> UseCase:
        return partial(applications.draft_application, self.ref, self.vacancy)

    def submit_application(self) -> UseCase:
        return submission(self.application)

    def place_application(self) -> UseCase:
        return partial(placements.place_application, self.application, 7, TERMS)

    def place_by_own_effort(self) -> UseCase:
        return partial(placements.place_by_own_effort, self.ref, TERMS)

    # What happens before its commit

    def suspend_dinas(self) -> UseCase:
        return suspension(self.region.dinas_id)

    def suspend_employer(self) -> UseCase:
        return suspension(self.region.employer_id)

    def record_death(self) -> UseCase:
        movement = Movement(
            candidate_id=self.ref,
            facility_id=self.region.facility,
            custody=Custody.ENDED,
            kind="death",
            effective_on=utc_now().date(),
            source_order=SourceOrder(at=utc_now(), sequence=10_000),
        )
        return partial(consents.record_movement, movement)

    def withdraw_consent(self) -> UseCase:
        return partial(consents.withdraw_consent, self.consent, 1)

    def close_vacancy(self) -> UseCase:
        return partial(applications.close_vacancy, self.vacancy, Closing.WITHDRAWN, 1)

    def take_slot(self) -> UseCase:
        return partial(placements.place_application, self.other_application, 7, TERMS)


def submission(application: str) -> UseCase:
    """Return the submission of an application that has a consent (version 2)."""
    submitted = ApplicationState.SUBMITTED
    return partial(applications.advance_application, application, submitted, "", 2)


def suspension(agency: str) -> UseCase:
    """Return the suspension of an agency that was approved (version 2)."""
    return partial(agencies.restrict_agency, agency, Status.SUSPENDED, "coba", 2)


RACES: list[
    tuple[
        str,
        Callable[[RaceHarness], UseCase],
        Callable[[RaceHarness], UseCase],
        type[DomainError],
    ]
] = [
    ("NONE", RaceHarness.give_consent, RaceHarness.suspend_dinas, AgencyNotActive),
    ("NONE", RaceHarness.give_consent, RaceHarness.record_death, CandidateGone),
    ("NONE", RaceHarness.post_vacancy, RaceHarness.suspend_employer, AgencyNotActive),
    ("NONE", RaceHarness.assign_route, RaceHarness.suspend_dinas, AgencyNotActive),
    ("NONE", RaceHarness.request_consumer, RaceHarness.suspend_dinas, AgencyNotActive),
    ("NONE", RaceHarness.draft_application, RaceHarness.close_vacancy, VacancyNotOpen),
    ("NONE", RaceHarness.draft_application, RaceHarness.record_death, CandidateGone),
    ("NONE", RaceHarness.place_by_own_effort, RaceHarness.record_death, CandidateGone),
    ("CONSENTED", RaceHarness.submit_application, RaceHarness.withdraw_consent, VersionDiffers),
    ("CONSENTED", RaceHarness.submit_application, RaceHarness.close_vacancy, VersionDiffers),
    ("ACCEPTED", RaceHarness.place_application, RaceHarness.withdraw_consent, ConsentMissing),
    ("ACCEPTED", RaceHarness.place_application, RaceHarness.close_vacancy, ApplicationStepRefused),
    ("ACCEPTED", RaceHarness.place_application, RaceHarness.take_slot, ApplicationStepRefused),
    ("ACCEPTED", RaceHarness.place_application, RaceHarness.record_death, CandidateGone),
]


@pytest.mark.scenario("MP-5/race")
@pytest.mark.parametrize(
    ("until", "command", "meanwhile", "refusal"),
    RACES,
    ids=[f"{command.__name__}-{meanwhile.__name__}" for _, command, meanwhile, _ in RACES],
)
async def test_a_rule_runs_again_when_its_facts_change_before_the_commit(
    region: RegionHarness,
    until: str,
    command: Callable[[RaceHarness], UseCase],
    meanwhile: Callable[[RaceHarness], UseCase],
    refusal: type[DomainError],
) -> None:
    setting = RaceHarness(region)
    await setting.prepare(until)
    with pytest.raises(refusal):
        await run_interrupted(region, command(setting), meanwhile(setting))


async def test_a_skill_gained_while_an_application_is_sent_leaves_no_flag_on_it(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    vacancy = await region.vacancy(units=(UNIT,))
    await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, vacancy, until="CONSENTED")
    content = CertificateContent(
        scheme_id="skema-jahit",
        scheme_title="Menjahit",
        units=(Unit(code=UNIT, title="Menjahit"),),
        valid_from=utc_now() - timedelta(days=1),
        valid_until=utc_now() + timedelta(days=1),
    )
    gain_skill = partial(applications.record_certificate, ref, new_id(), content)
    submitted = await run_interrupted(region, submission(application), gain_skill)
    assert (submitted.state, submitted.flags) == (ApplicationState.SUBMITTED, frozenset())


async def run_interrupted(region: RegionHarness, command: UseCase, meanwhile: UseCase) -> Any:
    """Run a command; `meanwhile` commits once, between its reads and its writes."""
    interruptions: list[UseCase] = []

    async def interrupt(_tx: Transaction) -> None:
        if not interruptions:
            interruptions.append(meanwhile)
            await region.as_service(meanwhile)

    present = region.engine
    engine = TransactionManager(
        present.db,
        present.transaction,
        present.ports,
        before_commit=[interrupt, *present.before_commit],
        after_commit=present.after_commit,
    )
    caller = Caller(
        subject="user-9", role="case_officer", claims={"facility": frozenset({region.facility})}
    )
    run = Runner(engine, OperationContext(caller=caller, correlation_id=new_id()))
    try:
        return await run(command)
    finally:
        assert len(interruptions) == 1
