"""The unit of work of training: its stores and ports, and the runner of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from chassis.files.upload_store import UploadTransaction
from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence.field_encryption import FieldCipher, LookupKeys
from chassis.persistence.unit_of_work import StoreOf
from services.training.applications.store import Applications, Submissions
from services.training.attendance.store import Attendances
from services.training.classes.store import Classes, Seats
from services.training.enrolments.store import Enrolments
from services.training.facilities.store import Facilities
from services.training.identities.store import Identities, NameQuotas
from services.training.mappings.rules import MappingFile
from services.training.mappings.store import MappedValues, StoredMappings
from services.training.merges.store import MergeCandidates, MergeDecisions
from services.training.participants.store import Movements, Participants
from services.training.programmes.store import Programmes
from services.training.raw_cells.store import RawCellsStore
from services.training.roster_reports.store import RosterReports
from services.training.sessions.store import Sessions
from services.training.snapshot_rows.store import RowErrors
from services.training.snapshots.store import Chunks, Rosters, Snapshots
from services.training.tasks.store import Tasks
from services.training.timeline.store import Timeline
from services.training.tpp.store import Decisions, TppStandings


class Transaction(UploadTransaction):
    """The stores of training, and its ports.

    Ports: the cipher of identities and the keys of their lookup values, the mappings of the
    mapping file, and the number of names that one purpose may read a day.
    """

    cipher: FieldCipher
    lookup_keys: LookupKeys
    file_mappings: MappingFile
    names_per_day: int
    service = "training"

    facilities = StoreOf(Facilities)
    mappings = StoreOf(StoredMappings)
    mapped_values = StoreOf(MappedValues)
    snapshots = StoreOf(Snapshots)
    chunks = StoreOf(Chunks)
    rosters = StoreOf(Rosters)
    row_errors = StoreOf(RowErrors)
    raw_cells = StoreOf(RawCellsStore)
    participants = StoreOf(Participants)
    movements = StoreOf(Movements)
    merge_candidates = StoreOf(MergeCandidates)
    merge_decisions = StoreOf(MergeDecisions)
    identities = StoreOf(Identities)
    name_quotas = StoreOf(NameQuotas)
    programmes = StoreOf(Programmes)
    roster_reports = StoreOf(RosterReports)
    classes = StoreOf(Classes)
    class_seats = StoreOf(Seats)
    sessions = StoreOf(Sessions)
    applications = StoreOf(Applications)
    submissions = StoreOf(Submissions)
    tpp_decisions = StoreOf(Decisions)
    tpp_standings = StoreOf(TppStandings)
    enrolments = StoreOf(Enrolments)
    attendance = StoreOf(Attendances)
    timeline = StoreOf(Timeline)
    tasks = StoreOf(Tasks)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]
