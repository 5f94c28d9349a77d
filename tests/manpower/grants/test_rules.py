"""Rules of grant orders: which must exist, and what an answer of the gateway changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.manpower.agencies.rules import Agency, Status
from services.manpower.consumers.rules import Consumer, ConsumerKind, Grant
from services.manpower.credentials.rules import ATTACHED_STATES, Credential, CredentialState
from services.manpower.grants import rules
from services.manpower.grants.rules import GrantOrder, GrantOrderState
from tests.manpower.factories import NOW, agency


def test_a_grant_that_is_over_is_wanted_no_longer_and_one_to_come_is() -> None:
    order = GrantOrder(
        id="o-1",
        consumer_id="c",
        agency_id="a",
        user_id="u",
        role="bapas",
        claims={},
        valid_from=NOW,
        valid_until=NOW,
    )
    held = rules.record_answer(order, "", NOW)
    assert (
        held.state,
        rules.withdraw(held, NOW).state,
        rules.record_answer(rules.withdraw(held, NOW), "", NOW).state,
    ) == (GrantOrderState.HELD, GrantOrderState.UNWANTED, GrantOrderState.GONE)
    refused = rules.record_answer(order, "user_unknown", NOW)
    assert rules.retry_refused(refused, NOW) == refused
    assert (
        rules.retry_refused(refused, NOW + rules.RETRY_REFUSED_AFTER).state
        is GrantOrderState.WANTED
    )
    assert rules.withdraw(refused, NOW) == refused
    later = rules.withdraw(refused, NOW + rules.RETRY_REFUSED_AFTER)
    assert later.state is GrantOrderState.UNWANTED, "an earlier answer may have been lost"
    assert rules.record_answer(later, "busy", NOW).state is GrantOrderState.REFUSED


def test_only_an_active_consumer_of_an_active_agency_is_to_have_its_grants() -> None:
    grant = Grant(
        role="bapas", regency_codes=frozenset(), valid_from=NOW, valid_until=NOW + timedelta(days=1)
    )
    known = active_consumer(grant)
    credentials = [credential(user_id) for user_id in ("u-1", "u-2")]

    def users(consumer: Consumer, office: Agency, *attached: Credential) -> list[str]:
        wanted = rules.derive_wanted_orders(
            {"c-1": consumer}, {"dinas-belitung": office}, attached or credentials, NOW
        )
        return sorted(order.user_id for order in wanted.values())

    assert users(known, agency()) == ["u-1", "u-2"]
    for status in (Status.PENDING, Status.SUSPENDED, Status.CLOSED):
        assert users(replace(known, status=status), agency()) == []
        assert users(known, agency(status=status)) == []
    for state in set(CredentialState) - ATTACHED_STATES:
        assert users(known, agency(), replace(credentials[0], state=state)) == []
    over = replace(credentials[0], valid_until=NOW)
    assert users(known, agency(), over, credentials[1]) == ["u-2"]


def test_a_grant_order_ends_with_its_credential() -> None:
    grant = Grant(
        role="bapas", regency_codes=frozenset(), valid_from=NOW, valid_until=NOW + timedelta(days=9)
    )
    consumer = active_consumer(grant)
    attached = credential("u-1")
    [order] = rules.derive_wanted_orders(
        {"c-1": consumer}, {"dinas-belitung": agency()}, [attached], NOW
    ).values()
    assert order.valid_until == attached.valid_until


def active_consumer(grant: Grant) -> Consumer:
    return Consumer(
        id="c-1",
        owner="",
        agency_id="dinas-belitung",
        kind=ConsumerKind.SYSTEM,
        title="",
        purpose="",
        legal_basis="",
        requested_by="",
        grants=(grant,),
        status=Status.ACTIVE,
    )


def credential(user_id: str) -> Credential:
    return Credential(
        id=f"credential-{user_id}",
        consumer_id="c-1",
        agency_id="dinas-belitung",
        owner="",
        user_id=user_id,
        credential_ref=user_id,
        valid_until=NOW + timedelta(days=1),
        state=CredentialState.APPROVED,
        steps=(),
    )
