"""Opens the first account: `python -m gateway.first_administrator LOGIN HOME`.

It prints the enrolment code of the account. It needs the gateway's secrets. Not here: later
accounts, which administrators open.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chassis.app import database_setup
from chassis.caller import EVERYTHING, system
from chassis.errors import Conflict
from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from gateway.access.accounts import usecases as accounts
from gateway.access.grants import rules as grants
from gateway.access.grants.rules import Grantor, GrantTerms
from gateway.access.hashing import hash_code, new_code
from gateway.access.transaction import Transaction
from gateway.app import create_app
from gateway.settings import GatewaySettings
from gateway.texts import TEXTS

if TYPE_CHECKING:
    from gateway.lifespan import GatewayRuntime

GRANT_LIFETIME = timedelta(days=5 * 365)
INSTALLATION = Grantor(name="installation", roles=frozenset({"administrator"}))
ARGUMENT_COUNT = 3  # the module, login, home


class AdministratorElsewhere(Conflict):
    """Another login is already an administrator of all places and can reset this account."""

    title = TEXTS["errors.administrator_elsewhere"]


async def open_first_account(login: str, home: str, code: str, tx: Transaction) -> None:
    """Make this login an administrator of all places and let it enrol with the code.

    Raises AdministratorElsewhere if another login is one already.
    """
    account = await accounts.open_account(login, home, tx)
    administrators = {
        grant.user_id
        for grant in await tx.grants.find_administrators(tx.now)
        if EVERYTHING in grant.claims.get("facility", ())
    }
    if administrators and account.id not in administrators:
        raise AdministratorElsewhere
    if not administrators:
        terms = GrantTerms(
            role="administrator",
            claims={"facility": [EVERYTHING], "lsp": [EVERYTHING]},
            valid_from=tx.now,
            valid_until=tx.now + GRANT_LIFETIME,
        )
        grant = grants.give(
            terms,
            id=new_id(),
            user_id=account.id,
            homes={home},
            home=home,
            grantor=INSTALLATION,
        )
        tx.grants.add(grant)
    await accounts.reset_account(account.id, hash_code(code), tx)


async def main(settings: GatewaySettings, login: str, home: str) -> str:
    """Open the account and return its enrolment code."""
    runtime: GatewayRuntime = create_app(settings).internal_api.state.life
    code = new_code()
    context = OperationContext(
        caller=system("gateway"), correlation_id=new_id(), what="first_administrator"
    )
    try:
        await database_setup.prepare(runtime.db, Transaction)
        await Runner(runtime.engine, context)(partial(open_first_account, login, home, code))
    finally:
        await runtime.db.close()
    return code


if __name__ == "__main__":
    if len(sys.argv) != ARGUMENT_COUNT:
        raise SystemExit("python -m gateway.first_administrator LOGIN HOME")
    sys.stdout.write(asyncio.run(main(GatewaySettings.load(), *sys.argv[1:])) + "\n")
