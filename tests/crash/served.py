"""The listening shop as a process of its own that answers HTTP: `python -m tests.crash.served`, told by SHOP_ variables as every service is."""

from __future__ import annotations

from fastapi import FastAPI

from chassis.app.factory import create_app
from chassis.app.server import serve
from tests.chassis.shop import ShopSettings
from tests.crash.listening import shop


def app(settings: ShopSettings) -> FastAPI:
    """Its app."""
    return create_app(shop(settings))


if __name__ == "__main__":
    serve(app, ShopSettings)
