"""./bina as a person uses it: the whole system starts, reports and leaves nothing running."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import jwt
import pytest

from ops.local import platform_checks
from ops.local.state_dir import ROOT
from tests.installation import BINA, Installation, eventually

PARTS = ["mongod", "kafka", "training", "certification", "marketplace", "manpower", "gateway"]

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def installation(tmp_path: Path) -> Generator[Installation]:
    here = Installation(tmp_path / "bina")
    yield here
    here.bina("down")
    assert here.processes() == []


def test_the_whole_system_starts_shows_its_status_and_ends_with_ctrl_c(
    installation: Installation,
) -> None:
    with subprocess.Popen(
        [BINA, "up"], env=installation.env, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        report = ""
        while "Bina siap" not in report:
            line = running.stderr.readline()
            assert line, report
            report += line

        del installation.env["BINA_PORT"]  # the port of a running system is found in its directory
        status = installation.status()
        assert status["addresses"]["staff"] == f"http://127.0.0.1:{installation.port}"
        assert [part["name"] for part in status["parts"]] == PARTS
        assert all(
            part["ready"] and part["version"] and part["address"] for part in status["parts"]
        )
        assert {"consumer_lag", "outbox", "parked", "early", "addresses"} <= set(status)
        _require_readable_status(installation)

        lines = [
            json.loads(line) for line in installation.bina("logs", "--json").stdout.splitlines()
        ]
        assert lines
        assert all({"time", "part", "level", "message"} <= set(line) for line in lines)

        token = installation.bina(
            "token", "--role", "training_officer", "--claim", "facility=LP-TJP"
        ).stdout.strip()
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["role"], claims["claims"]) == ("training_officer", {"facility": ["LP-TJP"]})

        again = installation.bina("up")
        assert (again.returncode, "Bina sudah berjalan" in again.stderr, again.stdout) == (
            1,
            True,
            "",
        )

        running.send_signal(signal.SIGINT)
        running.stderr.read()
        assert running.wait(60) == 0
    assert installation.processes() == []


def test_a_dead_process_restarts_and_a_killed_system_keeps_its_data(
    installation: Installation,
) -> None:
    assert installation.bina("up", "--detach").returncode == 0
    before = installation.status()
    victim = next(part for part in before["parts"] if part["name"] == "marketplace")
    os.kill(victim["pid"], signal.SIGKILL)
    eventually(
        lambda: any(
            part["name"] == "marketplace" and part["ready"] and part["pid"] != victim["pid"]
            for part in installation.status()["parts"]
        )
    )
    [restarted] = [part for part in installation.status()["parts"] if part["restarts"]]
    assert (restarted["name"], restarted["restarts"]) == ("marketplace", 1)
    assert restarted["since"] > restarted["ended_at"]
    shown = installation.bina("status").stdout
    assert "marketplace: 1 kali berhenti sendiri, terakhir" in shown
    assert "Berikutnya: ./bina demo" in shown
    logged = installation.bina("logs", "marketplace", "--level", "error", "--json").stdout
    ends = [line for line in map(json.loads, logged.splitlines()) if line["part"] == "marketplace"]
    assert [(line["message"], line["status"]) for line in ends if "restarts" in line] == [
        ("process_ended_by_itself", -signal.SIGKILL)
    ]
    log = (installation.home / "logs" / "up.log").read_text()
    assert "marketplace: gagal berhenti sendiri" in log

    os.kill(before["pid"], signal.SIGKILL)
    port = installation.env.pop("BINA_PORT")  # the killed system's own ports are shown
    eventually(lambda: installation.status()["crashed"])
    killed = installation.status()
    assert killed["running"] is False
    assert {part["name"]: part["address"] for part in killed["parts"]} == {
        part["name"]: part["address"] for part in before["parts"]
    }
    assert "Bina berhenti mendadak" in installation.bina("status").stdout
    installation.env["BINA_PORT"] = port
    assert installation.bina("up", "--detach").returncode == 0
    after = installation.status()
    assert all(part["ready"] for part in after["parts"])
    kept = {part["pid"] for part in before["parts"]} & {part["pid"] for part in after["parts"]}
    assert kept == set()
    assert installation.bina("down").returncode == 0
    assert installation.processes() == []


def test_a_port_that_is_taken_is_named_and_nothing_is_started(installation: Installation) -> None:
    with socket.create_server((platform_checks.LOOPBACK, installation.port + 4)):
        refused = installation.bina("up")
    assert refused.returncode == 1
    assert f"Porta {installation.port + 4} untuk training sedang dipakai" in refused.stderr
    assert f"pid {os.getpid()}" in refused.stderr
    assert "BINA_TRAINING_PORT" in refused.stderr
    assert "stop it" not in refused.stderr


def test_what_needs_a_running_system_says_how_to_start_one(installation: Installation) -> None:
    demo = installation.bina("demo")
    assert (demo.returncode, demo.stderr) == (1, "Bina tidak berjalan: jalankan ./bina up\n")
    installation.env["LANG"] = "en_US.UTF-8"
    demo = installation.bina("demo")
    assert (demo.returncode, demo.stderr) == (1, "Bina is not running: run ./bina up\n")
    status = installation.bina("status", "--json")
    assert (status.returncode, json.loads(status.stdout)["running"]) == (1, False)
    assert installation.bina("down").returncode == 0


def test_production_is_refused(installation: Installation) -> None:
    installation.env["BINA_ENVIRONMENT"] = "production"
    refused = installation.bina("up")
    assert (refused.returncode, "deploy/" in refused.stderr) == (1, True)


def test_an_unknown_bench_lists_the_known_ones(installation: Installation) -> None:
    refused = installation.bina("bench", "nothing", "--json")
    assert (refused.returncode, refused.stdout, "yang ada:" in refused.stderr) == (1, "", True)


@pytest.mark.parametrize(
    ("switches", "places"),
    [
        (("--crash", "2"), {"tests/crash/test_kills.py"}),
        (("--soak",), {"tests/crash/test_broker_away.py"}),
    ],
)
def test_long_proofs_run_alone(
    installation: Installation, switches: tuple[str, ...], places: set[str]
) -> None:
    installation.env["PYTEST_ADDOPTS"] = "--collect-only tests/crash tests/contracts"
    report = installation.bina("test", *switches)
    assert (report.returncode, _collected(report.stdout)) == (0, places)


def test_clusters_are_tested_on_demand_only(installation: Installation) -> None:
    installation.env["PYTEST_ADDOPTS"] = "--collect-only tests/cluster tests/crash"
    alone = _collected(installation.bina("test", "--cluster").stdout)
    assert alone
    assert all(path.startswith("tests/cluster/") for path in alone)
    others = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=ROOT,
        env=installation.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {path.split("/")[1] for path in _collected(others.stdout)} == {"crash"}


def test_no_kill_at_all_is_no_crash_matrix(installation: Installation) -> None:
    refused = installation.bina("test", "--crash", "0")
    assert (refused.returncode, "--crash" in refused.stderr) == (2, True)


def _require_readable_status(installation: Installation) -> None:
    """Check the status in both languages: 80 columns for a file, no colours."""
    words = {
        "id_ID.UTF-8": ("Keadaan", "siap", "Tertahan"),
        "en_US.UTF-8": ("State", "ready", "Parked"),
    }
    for locale, (title, state, parked) in words.items():
        installation.env["LANG"] = locale
        shown = installation.bina("status").stdout
        header, *rows = shown.splitlines()
        assert title in header
        assert all(state in row for row in rows[: len(PARTS)])
        assert parked in shown
        assert "\x1b" not in shown
        assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    installation.env["LANG"] = "id_ID.UTF-8"


def _collected(report: str) -> set[str]:
    """Return the files whose tests pytest lists."""
    return {line.partition("::")[0] for line in report.splitlines() if "::" in line}
