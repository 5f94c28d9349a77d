"""The sample service as a process that answers HTTP.

`python -m tests.crash.http_process` reads SHOP_ variables, like every service its own.
"""

from __future__ import annotations

from fastapi import FastAPI

from chassis.app.factory import create_app
from chassis.app.server import serve
from tests.chassis.sample_service import ShopSettings
from tests.crash.sample_service import shop


def app(settings: ShopSettings) -> FastAPI:
    """Return the app of the sample service."""
    return create_app(shop(settings))


if __name__ == "__main__":
    serve(app, ShopSettings)
