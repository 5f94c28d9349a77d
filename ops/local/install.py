"""Makes .venv from requirements.lock; run by the launcher with the system's Python, so it imports the standard library only. Not here: anything that runs later."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
NEEDED_MIB = 1500


def main(stamp: Path) -> int:
    """Install what the lock names, once, however many call at the same time; the stamp is written when it is complete."""
    if (free := shutil.disk_usage(ROOT).free // 2**20) < NEEDED_MIB and not stamp.exists():
        return refuse(
            f"ruang disk di {ROOT} tinggal {free} MiB, perlu {NEEDED_MIB} MiB: kosongkan disk, lalu ulangi",
            f"{ROOT} has {free} MiB left, {NEEDED_MIB} are needed: free some space, then try again",
        )
    VENV.mkdir(exist_ok=True)
    with (VENV / ".install.lock").open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(
                "menunggu pemasangan yang sedang berjalan / waiting for the installation that is under way"
            )
            fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.exists() and os.access(VENV / "bin" / "python", os.X_OK):
            return 0
        for old in VENV.glob(".installed-*"):
            old.unlink()
        say(f"menyiapkan {VENV} (sekali saja, satu sampai tiga menit) / preparing it, once")
        if failed := _with_uv() if shutil.which("uv") else _with_pip():
            return refuse(*failed)
        stamp.touch()
    say("siap / ready")
    return 0


def _with_uv() -> tuple[str, str] | None:
    if not (VENV / "bin" / "python").exists() and (
        failed := _run(
            ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)]
        )
    ):
        return failed
    return _run(
        [
            "uv",
            "pip",
            "sync",
            "--require-hashes",
            "--python",
            str(VENV / "bin" / "python"),
            str(LOCK),
        ]
    )


def _with_pip() -> tuple[str, str] | None:
    if not os.access(VENV / "bin" / "pip", os.X_OK):
        made = subprocess.run(
            [sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False
        )
        if made.returncode:
            return (
                f"{sys.executable} tidak dapat membuat venv (Debian/Ubuntu: apt-get install python3-venv): {_last_error_line(made.stdout + made.stderr)}",
                f"{sys.executable} cannot make a venv (Debian/Ubuntu: apt-get install python3-venv)",
            )
    return _run(
        [
            str(VENV / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--require-hashes",
            "-r",
            str(LOCK),
        ]
    )


def _run(command: list[str]) -> tuple[str, str] | None:
    """Run an installer, counting the packages it names; None when it went well, else why not in two languages."""
    total = len(re.findall(r"^\S+==", LOCK.read_text(), re.MULTILINE))
    seen = 0
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("Collecting ") and sys.stderr.isatty():
                seen += 1
                sys.stderr.write(f"\rbina: memasang paket {min(seen, total)}/{total} ")
                sys.stderr.flush()
    if seen:
        sys.stderr.write("\n")
    return _explain_failure("".join(lines)) if process.returncode else None


def _explain_failure(output: str) -> tuple[str, str]:
    why = _last_error_line(output)
    if "DO NOT MATCH THE HASHES" in output or "Hash mismatch" in output:
        return (
            f"paket yang diunduh tidak sama dengan yang dikunci di requirements.lock, jangan dipakai: {why}",
            "a downloaded package is not the one that requirements.lock pins, do not use it",
        )
    if "No space left" in output:
        return (
            f"disk penuh: kosongkan {NEEDED_MIB} MiB di {ROOT}, lalu ulangi",
            f"the disk is full: free {NEEDED_MIB} MiB at {ROOT}, then try again",
        )
    return (
        f"paket tidak dapat diunduh: periksa jaringan, proksi atau indeks paket, lalu ulangi (atau `docker compose up`): {why}",
        "the packages cannot be downloaded: check network, proxy or package index, then try again, or use `docker compose up`",
    )


def _last_error_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["?"])[-1]


def say(text: str) -> None:
    """Progress goes to stderr: stdout is the answer's."""
    sys.stderr.write(f"bina: {text}\n")


def refuse(indonesian: str, english: str) -> int:
    """Say why not, in both languages."""
    say(indonesian)
    say(english)
    return 1


if __name__ == "__main__":
    sys.exit(main(ROOT / sys.argv[1]))
