"""Roster acts: one request about up to 500 lines, with an outcome for each line.

Not here: what a line does (the noun that it changes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, cast

from chassis.errors import DomainError, Refused, VersionDiffers
from chassis.texts import TEXTS, Text

MAX_LINES = 500


class LineRepeated(Refused):
    """`key` is the one that two lines have."""

    title = TEXTS["errors.line_repeated"]
    field = "lines"


class LineOutcome(StrEnum):
    """What became of a line: done now, done before, or refused with its reasons."""

    APPLIED = "applied"
    REPEATED = "repeated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReason:
    """One reason against a line: its code, the Indonesian title of its error, and the field.

    An answer shows the text of the code; the title serves codes that have no text any more.
    """

    code: str
    title: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterLine:
    """One line: what it names by `key`, and the aggregate that it made or changed."""

    key: str
    outcome: LineOutcome
    result_id: str = ""
    version: int = 0
    reasons: tuple[LineReason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterReport:
    """The report of a roster act; it is stored, so that the same request gives it again.

    Each service adds the fields that scope it.
    """

    id: str
    version: int = 0
    act: str
    lines: tuple[RosterLine, ...]
    made_at: datetime
    made_by: str

    @property
    def counts(self) -> dict[str, int]:
        """The number of lines by outcome."""
        return count_outcomes(self.lines)


class Versioned(Protocol):
    """An aggregate, as far as a line names it."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


class LineTransaction(Protocol):
    """A transaction, as far as the lines of an act need it."""

    async def flush(self) -> None: ...
    def savepoint(self) -> Any: ...
    def rollback(self, to: Any) -> bool: ...


LineStep = Callable[[int], Awaitable[RosterLine]]


async def act_on_lines(
    keys: Sequence[str],
    step: LineStep,
    tx: LineTransaction,
    *,
    refuses_all: type[DomainError] | None = None,
    has_queries: bool = False,
) -> tuple[RosterLine, ...]:
    """Run the step of each line by its index; a refused line leaves nothing behind.

    An error of the kind `refuses_all` refuses the whole act. `has_queries`: a step searches what
    the lines before it changed, so these are written first. Raises LineRepeated.
    """
    require_distinct(keys)
    lines: list[RosterLine] = []
    for index, key in enumerate(keys):
        if has_queries:
            # written before the savepoint, because a flush after it cannot be rolled back
            await tx.flush()
        savepoint = tx.savepoint()
        try:
            lines.append(await step(index))
        except DomainError as error:
            is_for_all = refuses_all is not None and isinstance(error, refuses_all)
            if is_for_all or not tx.rollback(savepoint):
                raise
            lines.append(refused(key, error))
    return tuple(lines)


def count_outcomes(lines: Sequence[RosterLine]) -> dict[str, int]:
    """Return the number of lines by outcome."""
    counted = Counter(line.outcome for line in lines)
    return {outcome.value: counted[outcome] for outcome in LineOutcome}


def require_distinct(keys: Sequence[str]) -> None:
    """Raise LineRepeated when two lines have one key."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise LineRepeated(key=key)
        seen.add(key)


def applied(key: str, aggregate: Versioned) -> RosterLine:
    """Return the line that made or changed this aggregate."""
    return RosterLine(
        key=key, outcome=LineOutcome.APPLIED, result_id=aggregate.id, version=aggregate.version
    )


def repeated(key: str, aggregate: Versioned) -> RosterLine:
    """Return the line whose effect this aggregate had before."""
    return RosterLine(
        key=key, outcome=LineOutcome.REPEATED, result_id=aggregate.id, version=aggregate.version
    )


def refused(key: str, *errors: DomainError) -> RosterLine:
    """Return the line that these errors refused, with every reason that they name."""
    reasons: list[LineReason] = []
    for error in errors:
        reasons += _reasons_of(error)
    return RosterLine(key=key, outcome=LineOutcome.REFUSED, reasons=tuple(reasons))


def version_errors(aggregate: Versioned, version: int) -> list[DomainError]:
    """Return VersionDiffers unless the line names the stored version."""
    if aggregate.version == version:
        return []
    return [VersionDiffers(current_version=aggregate.version)]


def _reasons_of(error: DomainError) -> list[LineReason]:
    """Return the reasons in the facts of an error, each a code or {code, message}, else itself."""
    named = cast("Sequence[Any]", error.facts.get("reasons", ()))
    if not named:
        return [LineReason(code=error.code, title=error.title.id, field=error.field or "")]
    return [_reason_of(reason) for reason in named]


def _reason_of(reason: object) -> LineReason:
    if isinstance(reason, Mapping):
        members = cast("Mapping[str, Any]", reason)
        message: Text = members["message"]
        return LineReason(code=members["code"], title=message.id)
    return LineReason(code=str(reason))
