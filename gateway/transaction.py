"""The gateway's unit of work: its own database of users, grants and revocations."""

from typing import Annotated

from fastapi import Depends

from chassis import unit_of_work, web
from chassis.unit_of_work import StoreOf
from gateway.grants.store import Grants
from gateway.revocations.store import RevocationList
from gateway.users.store import Users


class Transaction(unit_of_work.Transaction):
    """What one transaction of the gateway can reach."""

    service = "gateway"
    users = StoreOf(Users)
    grants = StoreOf(Grants)
    revocations = StoreOf(RevocationList)


Run = Annotated[web.Runner[Transaction], Depends(web.runner)]
