"""The unit of work of access, with all its stores. Not here: use cases."""

from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence import unit_of_work
from chassis.persistence.unit_of_work import StoreOf
from gateway.access.accounts.store import Accounts
from gateway.access.cards.store import Cards
from gateway.access.clients.store import Assertions, Clients
from gateway.access.grants.store import Grants
from gateway.access.login_throttling.store import LoginAttemptsStore
from gateway.access.revocations.store import Revocations
from gateway.access.sessions.store import Sessions
from gateway.access.sign_ins.store import SignIns
from gateway.access.users.store import Users


class Transaction(unit_of_work.Transaction):
    """The stores of access."""

    service = "gateway"
    users = StoreOf(Users)
    grants = StoreOf(Grants)
    revocations = StoreOf(Revocations)
    accounts = StoreOf(Accounts)
    sign_ins = StoreOf(SignIns)
    login_attempts = StoreOf(LoginAttemptsStore)
    sessions = StoreOf(Sessions)
    clients = StoreOf(Clients)
    assertions = StoreOf(Assertions)
    cards = StoreOf(Cards)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]
