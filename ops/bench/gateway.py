"""The bench `gateway`: Bina's gateway beside a plain FastAPI proxy and beside nginx.

All three forward to the same small upstream. Each Ed25519 token has another subject. A thousand
tokens fit into the gateway's cache. With more tokens than it holds, the gateway verifies the token
of every request (`uncached`). Not here: the reference programs.
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

# Ports that the reference programs use.
UPSTREAM = 9101
FASTAPI = 9102
NGINX = 9103
PATH = "/v1/items"
CONNECTIONS = 32
CACHED_TOKENS = 1_000
ROUNDS = 5
SECONDS = 4
WARM_UP_SECONDS = 1
HALF_LOAD = 0.5
WRK_SCRIPT = Path(__file__).with_name("requests.lua")
START_SECONDS = 20.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class WrkResult:
    """The result of one run of wrk."""

    per_second: float
    p99_ms: float


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Run five rounds in which all proxies take turns; return medians and their ratios."""
    return await measure(mongo_url, kafka)


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: int = SECONDS,
    uncached_tokens: int = 2 * MAX_CACHED,
) -> BenchResult:
    """Run the bench at any size.

    Every run of wrk begins with the first token of its file. The gateway remembers a token for a
    minute, so a run of `uncached` that follows within a minute finds its first tokens verified,
    but their internal tokens expired.
    """
    _require_programs()
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        directory = Path(name)
        async with AsyncExitStack() as stack:
            for command in _reference_commands():
                stack.enter_context(_run_program(command, directory))
            upstream = _local_address(UPSTREAM)
            gateway, _ = await stack.enter_async_context(
                system_under_test_processes.start_gateway(mongo_url, kafka, directory, upstream)
            )
            tokens = await asyncio.to_thread(
                _make_tokens, directory, CACHED_TOKENS + uncached_tokens
            )
            cached = _write_tokens(directory / "cached", tokens[:CACHED_TOKENS])
            uncached = _write_tokens(directory / "uncached", tokens[CACHED_TOKENS:])
            proxies = {
                "gateway": (gateway, cached),
                "uncached": (gateway, uncached),
                "fastapi_httpx": (_local_address(FASTAPI), cached),
                "nginx": (_local_address(NGINX), cached),
            }
            for address, token_file in proxies.values():
                await _wait_for_answer(address + PATH, tokens[0])
                await _run_wrk(address, token_file, WARM_UP_SECONDS)
            for number in range(rounds):
                for proxy, (address, token_file) in proxies.items():
                    result = await _run_wrk(address, token_file, seconds)
                    samples[proxy].append(result.per_second)
                pause_ms = round(1e3 * CONNECTIONS / (HALF_LOAD * samples["gateway"][-1]))
                proxied = await _run_wrk(gateway, cached, seconds, pause_ms)
                direct = await _run_wrk(upstream, cached, seconds, pause_ms)
                samples["added"].append(proxied.p99_ms - direct.p99_ms)
                print_progress(f"{number + 1}/{rounds}")
    return _build_result(samples)


def _require_programs() -> None:
    for program in ("wrk", "nginx"):
        if shutil.which(program) is None:
            hint = f"(Debian/Ubuntu: apt-get install {program})"
            raise OperatorError(
                f"Bench ini perlu program {program} {hint}.",
                f"This bench needs the program {program} {hint}.",
            )
    for port in (UPSTREAM, FASTAPI, NGINX):
        platform_checks.require_port(port, "bench", "")


def _reference_commands() -> list[list[str]]:
    return [
        _uvicorn_command("upstream", UPSTREAM),
        _uvicorn_command("proxy_fastapi_httpx", FASTAPI),
        [*_NGINX_COMMAND, str(programs.REFERENCE_DIRECTORY / "nginx.conf")],
    ]


def _build_result(samples: Mapping[str, Sequence[float]]) -> BenchResult:
    medians = {name: statistics.median(values) for name, values in samples.items()}
    figures = {f"{name}_per_s": value for name, value in medians.items() if name != "added"}
    figures["added_p99_ms"] = medians["added"]
    ratios = {
        "to_fastapi_httpx": medians["gateway"] / medians["fastapi_httpx"],
        "to_nginx": medians["gateway"] / medians["nginx"],
        "uncached_to_fastapi_httpx": medians["uncached"] / medians["fastapi_httpx"],
    }
    return BenchResult(figures=figures, ratios=ratios)


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
    """Run wrk once. Raises OperatorError when a request failed or its answer was not 2xx."""
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
    report: dict[str, Any] = {"failed": "all"}
    if child.returncode == 0:
        report = json.loads(out.decode().splitlines()[-1])
    if report["failed"]:
        raise OperatorError(
            f"wrk ke {address}: {report['failed']} permintaan gagal.",
            f"wrk against {address}: {report['failed']} requests failed.",
        )
    return WrkResult(report["requests"] / report["seconds"], report["p99_ms"])


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
