"""Rules of the acting grant: which of a user's grants are usable now, and which one is used.

Not here: how grants are given (rules).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.access.grants.rules import (
    Grant,
    GrantChoiceNeeded,
    GrantKind,
    NoGrant,
    find_matching_offices,
)


def choose_acting_grant(grants: Sequence[Grant], chosen: str, now: datetime) -> Grant:
    """Return the chosen grant or the only one in force. Raises NoGrant, GrantChoiceNeeded."""
    in_force = [grant for grant in grants if grant.is_in_force(now)]
    if chosen:
        in_force = [grant for grant in in_force if grant.id == chosen]
    if not in_force:
        raise NoGrant
    if len(in_force) > 1:
        raise GrantChoiceNeeded(
            grants=[{"id": grant.id, "role": grant.role, "kind": grant.kind} for grant in in_force]
        )
    return in_force[0]


def limit_to_officials(
    grants: Sequence[Grant], officials: Mapping[str, Sequence[Grant]], now: datetime
) -> list[Grant]:
    """Return the grants that remain usable now, limited by the grants that they depend on.

    A deputy's grant depends on the official's grants of the same role: it ends with them, and
    excludes what all of them exclude. A second person's grant ends with their grants of the Kanwil.
    `officials` are the grants of each official by user id.
    """
    usable: list[Grant] = []
    for grant in grants:
        match grant.kind:
            case GrantKind.PLH:
                offices = find_matching_offices(
                    officials.get(grant.on_behalf_of, ()), grant.role, grant.claims, now
                )
            case GrantKind.SECOND:
                offices = [one for one in grants if one.makes_second_person(now)]
            case _:
                offices = [grant]
        if not offices:
            continue
        valid_until = min(grant.valid_until, max(office.valid_until for office in offices))
        excluded = set(grant.excluded)
        if grant.kind is GrantKind.PLH:
            excluded |= set[str].intersection(*(set(office.excluded) for office in offices))
        usable.append(replace(grant, valid_until=valid_until, excluded=tuple(sorted(excluded))))
    return usable
