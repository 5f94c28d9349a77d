"""Makes .venv from requirements.lock.

The launcher runs it with the system's Python, so it imports the standard library only. Not here:
anything that runs later.
"""

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
_MIB = 1024 * 1024
Failure = tuple[str, str]  # why, in Indonesian and in English


def main(stamp: Path) -> int:
    """Install what the lock names, once, however many calls run at the same time.

    The stamp is written when the installation is complete.
    """
    free = shutil.disk_usage(ROOT).free // _MIB
    if free < NEEDED_MIB and not stamp.exists():
        return refuse(
            f"ruang disk di {ROOT} tinggal {free} MiB, perlu {NEEDED_MIB} MiB:"
            " kosongkan disk, lalu ulangi",
            f"{ROOT} has {free} MiB left, {NEEDED_MIB} are needed: free some space, then try again",
        )
    VENV.mkdir(exist_ok=True)
    with (VENV / ".install.lock").open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(
                "menunggu pemasangan yang sedang berjalan /"
                " waiting for the installation that is under way"
            )
            fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.exists() and os.access(VENV / "bin" / "python", os.X_OK):
            return 0
        for old in VENV.glob(".installed-*"):
            old.unlink()
        say(f"menyiapkan {VENV} (sekali saja, satu sampai tiga menit) / preparing it, once")
        failure = _with_uv() if shutil.which("uv") else _with_pip()
        if failure:
            return refuse(*failure)
        stamp.touch()
    say("siap / ready")
    return 0


def _with_uv() -> Failure | None:
    python = VENV / "bin" / "python"
    if not python.exists():
        options = ["--quiet", "--allow-existing", "--python", sys.executable]
        failure = _run(["uv", "venv", *options, str(VENV)])
        if failure:
            return failure
    return _run(["uv", "pip", "sync", "--require-hashes", "--python", str(python), str(LOCK)])


def _with_pip() -> Failure | None:
    if not os.access(VENV / "bin" / "pip", os.X_OK):
        command = [sys.executable, "-m", "venv", VENV]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            advice = "(Debian/Ubuntu: apt-get install python3-venv)"
            reason = _last_error_line(made.stdout + made.stderr)
            return (
                f"{sys.executable} tidak dapat membuat venv {advice}: {reason}",
                f"{sys.executable} cannot make a venv {advice}",
            )
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install"]
    options = ["--disable-pip-version-check", "--no-input", "--require-hashes"]
    return _run([*pip, *options, "-r", str(LOCK)])


def _run(command: list[str]) -> Failure | None:
    """Run an installer and count the packages that it names; return why it failed, if it did."""
    total = len(re.findall(r"^\S+==", LOCK.read_text(), re.MULTILINE))
    installed = 0
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("Collecting ") and sys.stderr.isatty():
                installed += 1
                sys.stderr.write(f"\rbina: memasang paket {min(installed, total)}/{total} ")
                sys.stderr.flush()
    if installed:
        sys.stderr.write("\n")
    return _explain_failure("".join(lines)) if process.returncode else None


def _explain_failure(output: str) -> Failure:
    reason = _last_error_line(output)
    if "DO NOT MATCH THE HASHES" in output or "Hash mismatch" in output:
        indonesian = "paket yang diunduh tidak sama dengan yang dikunci di requirements.lock"
        english = "a downloaded package is not the one that requirements.lock pins, do not use it"
        return f"{indonesian}, jangan dipakai: {reason}", english
    if "No space left" in output:
        return (
            f"disk penuh: kosongkan {NEEDED_MIB} MiB di {ROOT}, lalu ulangi",
            f"the disk is full: free {NEEDED_MIB} MiB at {ROOT}, then try again",
        )
    indonesian = (
        "paket tidak dapat diunduh: periksa jaringan, proksi atau indeks paket, lalu ulangi"
    )
    english = "the packages cannot be downloaded: check network, proxy or package index, then"
    return (
        f"{indonesian} (atau `docker compose up`): {reason}",
        f"{english} try again, or use `docker compose up`",
    )


def _last_error_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    candidates = errors or lines or ["?"]
    return candidates[-1]


def say(text: str) -> None:
    """Write progress to stderr; stdout belongs to the command's answer."""
    sys.stderr.write(f"bina: {text}\n")


def refuse(indonesian: str, english: str) -> int:
    """Write why not, in both languages; return the exit status 1."""
    say(indonesian)
    say(english)
    return 1


if __name__ == "__main__":
    sys.exit(main(ROOT / sys.argv[1]))
