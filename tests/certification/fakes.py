"""A fake training: answers to `identity_for` over real HTTP. Not here: training's events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from chassis.http.internal_tokens import InternalTokenVerifier
from tests.fakes import Keys


class FakeTraining:
    """Answers callers whose token allows this query; `requests` are (purpose, references)."""

    def __init__(self, keys: Keys) -> None:
        self.names: dict[str, str] = {}
        self.requests: list[tuple[str, list[str]]] = []
        self.url = ""
        self._verifier = InternalTokenVerifier("training", keys.directory)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[None]:
        """Serve on a free port of this machine."""
        app = web.Application()
        app.router.add_post("/internal/identities", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        caller = self._verifier.calling_service(token, request.method, request.path)
        refs: list[str] = (await request.json())["refs"]
        self.requests.append((caller.purpose, refs))
        items = [
            {"participant_ref": ref, "name": self.names[ref], "birth_date": None, "sex": ""}
            for ref in refs
            if ref in self.names
        ]
        return web.json_response({"items": items})
