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
    (directory / "ops" / "help").mkdir()
    for name in (
        "bina",
        "requirements.lock",
        "ops/__init__.py",
        "ops/language.py",
        "ops/text_output.py",
        "ops/local/__init__.py",
        "ops/local/install.py",
        "ops/help/id.txt",
        "ops/help/en.txt",
        "ops/version.py",
        "ops/launch.py",
        "pyproject.toml",
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


def launch(checkout: Path, env: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [checkout / "bina", *arguments],
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
    together = [launch(checkout, env, "status") for _ in range(4)]
    outputs = [process.communicate() for process in together]
    assert [out for out, _ in outputs] == ["ran -m ops.launch status\n"] * 4
    assert "bina: siap" in "".join(err for _, err in outputs).splitlines()
    assert launch(checkout, env, "status").communicate() == ("ran -m ops.launch status\n", "")
    assert (tmp_path / "calls").read_text().splitlines() == ["venv --quiet", "pip sync"]
    (checkout / "requirements.lock").write_text("changed==1\n")
    _, err = launch(checkout, env | ENGLISH, "status").communicate()
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
    report = launch(checkout, {"PATH": path} | locale, "status")
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
    report = launch(checkout, {"PATH": path, **nowhere, **locale}, "status")
    out, err = report.communicate()
    assert (report.returncode, out) == (1, "")
    assert said in err
    assert not_said not in err
    assert list((checkout / ".venv").glob(".installed-*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "first_line"),
    [
        ((), 2, "Pemakaian: ./bina [OPSI] PERINTAH [ARGUMEN]..."),
        (("--help",), 0, "Pemakaian: ./bina [OPSI] PERINTAH [ARGUMEN]..."),
        (("up", "--help"), 0, "Pemakaian: ./bina up [OPSI]"),
        (("events", "parked", "list", "--help"), 0, "Pemakaian: ./bina events parked list [OPSI]"),
        (("--version",), 0, "0.1.0"),
    ],
)
def test_help_and_version_are_printed_before_anything_is_installed(
    checkout: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, first_line: str
) -> None:
    path = path_with(tmp_path / "tools", *SHELL_TOOLS)  # without any Python
    done = launch(checkout, {"PATH": path}, *arguments)
    out, err = done.communicate()
    assert (done.returncode, err) == (code, "")
    assert out.splitlines()[0] == first_line
    assert not (checkout / ".venv").exists()


def test_help_before_the_installation_is_in_the_language_of_the_terminal(
    checkout: Path, tmp_path: Path
) -> None:
    path = path_with(tmp_path / "tools", *SHELL_TOOLS)
    out, _ = launch(checkout, {"PATH": path, "BINA_LANG": "en"}, "down", "--help").communicate()
    assert out.splitlines()[:3] == [
        "Usage: ./bina down [OPTIONS]",
        "",
        "  Stop the running system.",
    ]


def test_a_damaged_installation_is_named_and_made_again(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    env = {
        "PATH": path_with(tools, *SHELL_TOOLS, "mkdir", "chmod", "rm"),
        "UV_CALLS": str(tmp_path / "calls"),
    }
    (tools / "uv").write_text(FAKE_UV)
    (tools / "uv").chmod(stat.S_IRWXU)
    (tools / "python3").symlink_to(sys.executable)
    launch(checkout, env, "status").communicate()
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 127\n")
    out, err = launch(checkout, env, "status").communicate()
    assert out == "ran -m ops.launch status\n"
    assert err.splitlines()[0] == "bina: .venv rusak, dipasang lagi"
    assert err.splitlines()[-1] == "bina: siap"


def test_a_missing_package_is_named_and_all_are_installed_again(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "ops" / "cli.py").write_text("import a_package_that_is_gone\n")
    stamp = checkout / ".venv" / ".installed-1-2"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    stamp.touch()
    (checkout / "bina").write_text('#!/bin/sh\necho "again $*"\n')
    done = subprocess.run(
        [sys.executable, "-m", "ops.launch", "status"],
        cwd=checkout,
        env={"BINA_FROM": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "again status\n"
    assert "a_package_that_is_gone" in done.stderr
    assert not stamp.exists()
    assert not (checkout / ".venv" / "bin").exists()
