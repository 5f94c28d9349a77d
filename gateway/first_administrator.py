"""`python -m gateway.first_administrator <login> <home>`: the one account that nobody else can open. Prints its code. Whoever has the gateway's secrets may."""

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

if TYPE_CHECKING:
    from gateway.lifespan import GatewayRuntime

GRANT_LIFETIME = timedelta(days=5 * 365)
INSTALLATION = Grantor(name="installation", roles=frozenset({"administrator"}))


class AdministratorElsewhere(Conflict):
    """There is an administrator already, under another login, who can reset this one."""

    title = "Sudah ada administrator lain; mintalah kode darinya"


async def open_first_account(login: str, home: str, code: str, tx: Transaction) -> None:
    """Let this login begin with the code, as administrator of every place; AdministratorElsewhere where somebody else is that."""
    account = await accounts.open_account(login, home, tx)
    everywhere = [
        grant
        for grant in await tx.grants.find_administrators(tx.now)
        if EVERYTHING in grant.claims.get("facility", ())
    ]
    if everywhere and account.id not in {grant.user_id for grant in everywhere}:
        raise AdministratorElsewhere
    if not everywhere:
        terms = GrantTerms(
            role="administrator",
            claims={"facility": [EVERYTHING], "lsp": [EVERYTHING]},
            valid_from=tx.now,
            valid_until=tx.now + GRANT_LIFETIME,
        )
        tx.grants.add(
            grants.give(terms, id=new_id(), user_id=account.id, home=home, grantor=INSTALLATION)
        )
    await accounts.reset_account(account.id, hash_code(code), tx)


async def main(settings: GatewaySettings, login: str, home: str) -> str:
    """The code to be handed over."""
    life: GatewayRuntime = create_app(settings).internal_api.state.life
    code = new_code()
    try:
        await database_setup.prepare(life.db, Transaction)
        await Runner(
            life.engine,
            OperationContext(
                caller=system("gateway"), correlation_id=new_id(), what="first_administrator"
            ),
        )(partial(open_first_account, login, home, code))
    finally:
        await life.db.close()
    return code


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - login and home
        raise SystemExit("python -m gateway.first_administrator LOGIN HOME")
    sys.stdout.write(asyncio.run(main(GatewaySettings.load(), *sys.argv[1:])) + "\n")
