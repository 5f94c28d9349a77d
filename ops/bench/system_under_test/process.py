"""A program: the `writing` service, the `reading` service, or the gateway before them.

Not here: its environment variables (environment).
"""

from __future__ import annotations

import sys

from chassis.app.server import serve
from gateway.__main__ import main as serve_gateway
from gateway.access.permissions import RolePermissions
from ops.bench.system_under_test import service
from ops.bench.system_under_test.measure import DiscardingExporter

ROLE = "training_officer"
ROLE_PERMISSIONS = RolePermissions(
    {
        "training": {ROLE: frozenset({"POST /v1/completions", "GET /v1/items"})},
        "certification": {},
        "marketplace": {},
        "manpower": {},
    }
)
ROUTES = """\
[service]
training = 128
certification = 128
marketplace = 128
manpower = 128

[[training]]
hosts = ["staff"]
paths = ["POST /v1/completions", "GET /v1/items"]
rate = "100000/minute"
"""

if __name__ == "__main__":
    match sys.argv[1]:
        case "writing":
            serve(
                service.create_writing_app,
                service.WritingSettings,
                exporter=lambda _: DiscardingExporter(),
            )
        case "reading":
            serve(
                service.create_reading_app,
                service.ReadingSettings,
                exporter=lambda _: DiscardingExporter(),
            )
        case _:
            serve_gateway(ROLE_PERMISSIONS, exporter=DiscardingExporter())
