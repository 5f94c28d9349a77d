"""Run manpower as a process: `python -m services.manpower`."""

from __future__ import annotations

from chassis.app.server import serve
from services.manpower.app import create_app
from services.manpower.settings import ManpowerSettings

if __name__ == "__main__":
    serve(create_app, ManpowerSettings)
