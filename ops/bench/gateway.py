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

from gateway.authn.dev_issuer import issue_development_token
from gateway.authn.tokens import MAX_CACHED
from ops.bench import BenchResult, print_progress, programs
from ops.bench.system_under_test import process
from ops.bench.system_under_test import processes as system_under_test_processes
from ops.errors import OperatorError
from ops.local import platform_checks, processes

UPSTREAM, FASTAPI, NGINX = 9101, 9102, 9103  # as the reference programs name them
PATH = "/v1/items"
CONNECTIONS, CACHED_TOKENS = 32, 1_000
ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 4, 1
HALF_LOAD = 0.5
WRK_SCRIPT = Path(__file__).with_name("requests.lua")
START_SECONDS, POLL_SECONDS = 20.0, 0.05


@dataclass(frozen=True, slots=True)
class WrkResult:
    """What one run of wrk found."""

    per_second: float
    p99_ms: float


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Five rounds in which all take turns; ratios of medians."""
    return await measure(mongo_url, kafka)


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: int = SECONDS,
    uncached_tokens: int = 2 * MAX_CACHED,
) -> BenchResult:
    """The bench at any size. Of `fresh` tokens none is still remembered when its turn comes again."""
    for program in ("wrk", "nginx"):
        if shutil.which(program) is None:
            way_out = f"(Debian/Ubuntu: apt-get install {program})"
            raise OperatorError(
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
                _uvicorn_command("upstream", UPSTREAM),
                _uvicorn_command("proxy_fastapi_httpx", FASTAPI),
                [*_NGINX_COMMAND, str(programs.REFERENCE_DIRECTORY / "nginx.conf")],
            ):
                stack.enter_context(_run_program(command, place))
            address, _ = await stack.enter_async_context(
                system_under_test_processes.start_gateway(
                    mongo_url, kafka, place, f"http://{platform_checks.LOOPBACK}:{UPSTREAM}"
                )
            )
            signed = await asyncio.to_thread(_make_tokens, place, CACHED_TOKENS + uncached_tokens)
            few, many = (
                _write_tokens(place / "few", signed[:CACHED_TOKENS]),
                _write_tokens(place / "many", signed[CACHED_TOKENS:]),
            )
            doors = {
                "gateway": (address, few),
                "uncached": (address, many),
                "fastapi_httpx": (_local_address(FASTAPI), few),
                "nginx": (_local_address(NGINX), few),
            }
            for door, tokens in doors.values():
                await _wait_for_answer(door + PATH, signed[0])
                await _run_wrk(door, tokens, WARM_UP_SECONDS)
            for number in range(rounds):
                for name, (door, tokens) in doors.items():
                    samples[name].append((await _run_wrk(door, tokens, seconds)).per_second)
                pause = round(1e3 * CONNECTIONS / (HALF_LOAD * samples["gateway"][-1]))
                through, past = [
                    await _run_wrk(door, few, seconds, pause)
                    for door in (address, _local_address(UPSTREAM))
                ]
                samples["added"].append(through.p99_ms - past.p99_ms)
                print_progress(f"{number + 1}/{rounds}")
    return _build_result(samples)


def _build_result(samples: Mapping[str, Sequence[float]]) -> BenchResult:
    middle = {name: statistics.median(values) for name, values in samples.items()}
    figures = {f"{name}_per_s": value for name, value in middle.items() if name != "added"} | {
        "added_p99_ms": middle["added"]
    }
    ratios = {
        "to_fastapi_httpx": ("gateway", "fastapi_httpx"),
        "to_nginx": ("gateway", "nginx"),
        "uncached_to_fastapi_httpx": ("uncached", "fastapi_httpx"),
    }
    return BenchResult(
        figures=figures,
        ratios={name: middle[ours] / middle[theirs] for name, (ours, theirs) in ratios.items()},
    )


def _make_tokens(directory: Path, count: int) -> list[str]:
    key = (directory / "secrets" / "gateway" / "gateway_development_key").read_text()
    return [
        issue_development_token(
            key, process.ROLE, {"facility": "LP-TJP"}, subject=f"user-{number:06d}"
        )
        for number in range(count)
    ]


def _write_tokens(path: Path, tokens: Sequence[str]) -> Path:
    path.write_text("\n".join(tokens) + "\n")
    return path


async def _run_wrk(address: str, tokens: Path, seconds: int, pause_ms: int = 0) -> WrkResult:
    """One run; OperatorError when an answer was not 2xx or none came."""
    command = [
        "wrk",
        "-t1",
        "--timeout=10s",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        str(WRK_SCRIPT),
        address + PATH,
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
        raise OperatorError(
            f"wrk ke {address}: {told['failed']} permintaan gagal.",
            f"wrk against {address}: {told['failed']} requests failed.",
        )
    return WrkResult(told["requests"] / told["seconds"], told["p99_ms"])


async def _wait_for_answer(url: str, token: str) -> None:
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
            await asyncio.sleep(POLL_SECONDS)
    raise OperatorError(f"{url} tidak menjawab.", f"{url} does not answer.")


@contextmanager
def _run_program(command: Sequence[str], directory: Path) -> Generator[None]:
    child = processes.spawn(command, directory / "programs.log", cwd=programs.REFERENCE_DIRECTORY)
    try:
        yield
    finally:
        processes.end(child)


_NGINX_COMMAND = ("nginx", "-g", "daemon off;", "-c")


def _uvicorn_command(program: str, port: int) -> list[str]:
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


def _local_address(port: int) -> str:
    return f"http://{platform_checks.LOOPBACK}:{port}"
