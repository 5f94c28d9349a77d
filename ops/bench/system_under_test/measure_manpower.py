"""A program: manpower applies the events of a topic; prints JSON.

It fails when an event was lost or applied twice. Not here: the clock (measure), the events
(manpower_events).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import uvloop

from chassis.app.server import tune_gc
from ops.bench.system_under_test import manpower_events, measure
from services.manpower.app import create_app
from services.manpower.settings import ManpowerSettings


async def main(events: int) -> dict[str, float]:
    """Apply that many events; return the figures. Raises EffectsDiffer."""
    settings = ManpowerSettings.load()
    measure.configure_telemetry(settings, "manpower")
    state = create_app(settings).state
    tune_gc()
    try:
        per_second = await measure.measure_consumer(state.service, events)
        await manpower_events.check_effects(state.life.db, events)
    finally:
        await state.life.db.close()
    return {"events_per_s": per_second}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=int)
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(main(parser.parse_args().events))) + "\n")
