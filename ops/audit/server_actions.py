"""Audit rows of commands that access MongoDB directly, with the administrator's password.

Not here: rows of changes and reads through a service (the unit of work).
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
