"""Audit rows for actions at the servers themselves, by somebody who holds their passwords.

Not here: rows of changes and reads (the unit of work).
"""

from __future__ import annotations

import getpass
from typing import Any

from chassis.ids import new_id, utc_now
from chassis.persistence.mongo import Mongo


async def record_action(db: Mongo, action: str, subject: str, **facts: Any) -> None:
    """Insert one row; the service's sealer seals it like any other."""
    row = {
        "_id": new_id(),
        "at": utc_now(),
        "action": action,
        "subject": subject,
        "actor": f"os:{getpass.getuser()}",
        "role": "operator",
        "on_behalf_of": "",
        "what": action,
        "correlation_id": subject,
        "causation_id": "",
        "block": None,
        **facts,
    }
    await db.insert("audit", [row])
