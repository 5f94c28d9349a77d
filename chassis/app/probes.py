"""The probes /livez, /readyz, /metrics and /statusz. Not here: what they measure."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse

from chassis.app.lifespan import ServiceRuntime

router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def livez(request: Request) -> Response:
    """Answer 200 while the process works; on 503 the supervisor restarts it."""
    life: ServiceRuntime = request.app.state.life
    return JSONResponse({"alive": life.alive()}, 200 if life.alive() else 503)


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer 200 when the process is ready, else 503 with the names of what is missing.

    Ready means that the database answers, collections are prepared and topics are assigned.
    """
    life: ServiceRuntime = request.app.state.life
    missing = await life.missing()
    return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)


@router.get("/metrics")
async def metrics(accept: Annotated[str, Header()] = "") -> Response:
    """Answer with the metrics as OpenMetrics, which has exemplars, or as Prometheus text."""
    encode, kind = choose_encoder(accept)
    return Response(encode(REGISTRY), media_type=kind)


@router.get("/statusz")
async def statusz(request: Request) -> dict[str, Any]:
    """Answer with what `./bina status` shows of this service."""
    life: ServiceRuntime = request.app.state.life
    return await life.status()
