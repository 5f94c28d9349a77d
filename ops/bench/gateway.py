"""The bench `gateway`: Bina's door beside what a user would write instead and beside nginx, before the same small upstream. Not here: the reference programs.

Tokens are Ed25519, of as many subjects as there are tokens. A thousand are remembered; of more than the gateway remembers, each is verified every time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.authn.dev_issuer import development_token
from gateway.authn.tokens import MOST_REMEMBERED
from ops.bench import Result, programs, progress
from ops.bench.system_under_test import process
from ops.bench.system_under_test import processes as system_under_test_processes
from ops.errors import Trouble
from ops.local import platform_checks, processes

UPSTREAM, FASTAPI, NGINX = 9101, 9102, 9103  # as the reference programs name them
PATH = "/v1/items"
CONNECTIONS, REMEMBERED = 32, 1_000
ROUNDS, SECONDS, WARMING_SECONDS = 5, 4, 1
HALF = 0.5
WRK_SCRIPT = Path(__file__).with_name("requests.lua")
START_SECONDS, LOOK_SECONDS = 20.0, 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of wrk found."""

    per_second: float
    p99_ms: float


async def run(mongo_url: str, kafka: str) -> Result:
    """Five rounds in which all take turns; ratios of medians."""
    return await measured(mongo_url, kafka)


async def measured(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: int = SECONDS,
    fresh: int = 2 * MOST_REMEMBERED,
) -> Result:
    """The bench at any size. Of `fresh` tokens none is still remembered when its turn comes again."""
    for program in ("wrk", "nginx"):
        if shutil.which(program) is None:
            way_out = f"(Debian/Ubuntu: apt-get install {program})"
            raise Trouble(
                f"Bench ini perlu program {program} {way_out}.",
                f"This bench needs the program {program} {way_out}.",
            )
    for port in (UPSTREAM, FASTAPI, NGINX):
        platform_checks.require_port(port, "bench", "")
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as directory:
        place = Path(directory)
        async with AsyncExitStack() as stack:
            for command in (
                _uvicorn("upstream", UPSTREAM),
                _uvicorn("proxy_fastapi_httpx", FASTAPI),
                [*_NGINX, str(programs.REFERENCE / "nginx.conf")],
            ):
                stack.enter_context(_process(command, place))
            address, _ = await stack.enter_async_context(
                system_under_test_processes.door(
                    mongo_url, kafka, place, f"http://{platform_checks.LOOPBACK}:{UPSTREAM}"
                )
            )
            signed = await asyncio.to_thread(_tokens, place, REMEMBERED + fresh)
            few, many = (
                _written(place / "few", signed[:REMEMBERED]),
                _written(place / "many", signed[REMEMBERED:]),
            )
            doors = {
                "gateway": (address, few),
                "uncached": (address, many),
                "fastapi_httpx": (_at(FASTAPI), few),
                "nginx": (_at(NGINX), few),
            }
            for door, tokens in doors.values():
                await _answering(door + PATH, signed[0])
                await _wrk(door, tokens, WARMING_SECONDS)
            for number in range(rounds):
                for name, (door, tokens) in doors.items():
                    samples[name].append((await _wrk(door, tokens, seconds)).per_second)
                pause = round(1e3 * CONNECTIONS / (HALF * samples["gateway"][-1]))
                through, past = [
                    await _wrk(door, few, seconds, pause) for door in (address, _at(UPSTREAM))
                ]
                samples["added"].append(through.p99_ms - past.p99_ms)
                progress(f"{number + 1}/{rounds}")
    return _result(samples)


def _result(samples: Mapping[str, Sequence[float]]) -> Result:
    middle = {name: statistics.median(values) for name, values in samples.items()}
    figures = {f"{name}_per_s": value for name, value in middle.items() if name != "added"} | {
        "added_p99_ms": middle["added"]
    }
    ratios = {
        "to_fastapi_httpx": ("gateway", "fastapi_httpx"),
        "to_nginx": ("gateway", "nginx"),
        "uncached_to_fastapi_httpx": ("uncached", "fastapi_httpx"),
    }
    return Result(
        figures=figures,
        ratios={name: middle[ours] / middle[theirs] for name, (ours, theirs) in ratios.items()},
    )


def _tokens(place: Path, count: int) -> list[str]:
    key = (place / "secrets" / "gateway" / "gateway_development_key").read_text()
    return [
        development_token(key, process.ROLE, {"facility": "LP-TJP"}, subject=f"user-{number:06d}")
        for number in range(count)
    ]


def _written(path: Path, tokens: Sequence[str]) -> Path:
    path.write_text("\n".join(tokens) + "\n")
    return path


async def _wrk(door: str, tokens: Path, seconds: int, pause_ms: int = 0) -> Run:
    """One run; Trouble when an answer was not 2xx or none came."""
    command = [
        "wrk",
        "-t1",
        "--timeout=10s",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        str(WRK_SCRIPT),
        door + PATH,
        "--",
        str(tokens),
        str(pause_ms),
    ]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    told: dict[str, Any] = (
        json.loads(out.decode().splitlines()[-1]) if child.returncode == 0 else {"failed": "all"}
    )
    if told["failed"]:
        raise Trouble(
            f"wrk ke {door}: {told['failed']} permintaan gagal.",
            f"wrk against {door}: {told['failed']} requests failed.",
        )
    return Run(told["requests"] / told["seconds"], told["p99_ms"])


async def _answering(url: str, token: str) -> None:
    headers = {"authorization": f"Bearer {token}"}
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    async with aiohttp.ClientSession() as http:
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with http.get(url, headers=headers) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(LOOK_SECONDS)
    raise Trouble(f"{url} tidak menjawab.", f"{url} does not answer.")


@contextmanager
def _process(command: Sequence[str], place: Path) -> Generator[None]:
    child = processes.spawn(command, place / "programs.log", cwd=programs.REFERENCE)
    try:
        yield
    finally:
        processes.end(child)


_NGINX = ("nginx", "-g", "daemon off;", "-c")


def _uvicorn(program: str, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "uvicorn",
        f"{program}:app",
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
    ]


def _at(port: int) -> str:
    return f"http://{platform_checks.LOOPBACK}:{port}"
