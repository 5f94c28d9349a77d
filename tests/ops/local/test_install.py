"""./bina prepares itself once, and says what to do where it cannot."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.state_dir import ROOT

FAKE_UV = """#!/bin/sh
echo "$1 $2" >>"$UV_CALLS"
case "$1" in
venv)
    mkdir -p .venv/bin
    printf '#!/bin/sh\\necho ran "$@"\\n' >.venv/bin/python
    chmod +x .venv/bin/python ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout without .venv."""
    directory = tmp_path / "checkout"
    (directory / "ops" / "local").mkdir(parents=True)
    for name in (
        "bina",
        "requirements.lock",
        "ops/__init__.py",
        "ops/language.py",
        "ops/text_output.py",
        "ops/local/__init__.py",
        "ops/local/install.py",
    ):
        shutil.copy(ROOT / name, directory / name)
    return directory


def path_with(tools: Path, *programs: str) -> str:
    """Return a PATH that holds only these programs."""
    tools.mkdir(exist_ok=True)
    for program in programs:
        found = shutil.which(program)
        assert found is not None, program
        (tools / program).symlink_to(found)
    return str(tools)


def launch(checkout: Path, env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [checkout / "bina", "status"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SHELL_TOOLS = ("sh", "dirname", "readlink", "cksum", "tr")
ENGLISH = {"LANG": "en_US.UTF-8"}


def test_simultaneous_calls_install_once_and_later_ones_not_at_all(
    checkout: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    env = {
        "PATH": path_with(tools, *SHELL_TOOLS, "mkdir", "chmod"),
        "UV_CALLS": str(tmp_path / "calls"),
    }
    (tools / "uv").write_text(FAKE_UV)
    (tools / "uv").chmod(stat.S_IRWXU)
    (tools / "python3").symlink_to(sys.executable)
    together = [launch(checkout, env) for _ in range(4)]
    outputs = [process.communicate() for process in together]
    assert [out for out, _ in outputs] == ["ran -m ops.cli status\n"] * 4
    assert "bina: siap" in "".join(err for _, err in outputs).splitlines()
    assert launch(checkout, env).communicate() == ("ran -m ops.cli status\n", "")
    assert (tmp_path / "calls").read_text().splitlines() == ["venv --quiet", "pip sync"]
    (checkout / "requirements.lock").write_text("changed==1\n")
    _, err = launch(checkout, env | ENGLISH).communicate()
    assert (tmp_path / "calls").read_text().splitlines()[2:] == ["pip sync"]
    assert err.splitlines() == [
        f"bina: preparing {checkout / '.venv'} (once, one to three minutes)",
        "bina: ready",
    ]


@pytest.mark.parametrize(
    ("locale", "first_line"),
    [
        ({}, "Bina perlu Python 3.11 atau lebih baru"),
        ({"LANG": "C.UTF-8"}, "Bina perlu Python 3.11 atau lebih baru"),
        ({"LANG": "en_GB.UTF-8"}, "Bina needs Python 3.11 or newer"),
        ({"LANG": "en_GB", "LC_ALL": "id_ID"}, "Bina perlu Python 3.11 atau lebih baru"),
        ({"LANG": "id_ID", "LC_MESSAGES": "en_US"}, "Bina needs Python 3.11 or newer"),
    ],
)
def test_without_a_python_that_is_new_enough_it_says_what_to_install(
    checkout: Path, tmp_path: Path, locale: dict[str, str], first_line: str
) -> None:
    path = path_with(tmp_path / "tools", *SHELL_TOOLS)
    report = launch(checkout, {"PATH": path} | locale)
    out, err = report.communicate()
    assert (report.returncode, out) == (1, "")
    assert err.splitlines()[0] == first_line
    assert "docker compose up" in err


@pytest.mark.parametrize(
    ("locale", "said", "not_said"),
    [({}, "periksa jaringan", "check network"), (ENGLISH, "check network", "periksa jaringan")],
)
def test_without_a_network_it_says_so_and_leaves_no_mark_of_success(
    checkout: Path, tmp_path: Path, locale: dict[str, str], said: str, not_said: str
) -> None:
    tools = tmp_path / "tools"
    path = path_with(tools, *SHELL_TOOLS)
    (tools / "python3").symlink_to(sys.executable)
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    report = launch(checkout, {"PATH": path, **nowhere, **locale})
    out, err = report.communicate()
    assert (report.returncode, out) == (1, "")
    assert said in err
    assert not_said not in err
    assert list((checkout / ".venv").glob(".installed-*")) == []
