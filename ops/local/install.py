"""Makes .venv from requirements.lock.

The launcher runs it with the system's Python, so it may import only the standard library and the
modules of ours that do the same. Not here: anything that runs later.
"""

import fcntl
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from ops.language import Bilingual, choose
from ops.text_output import print_error

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
NEEDED_MIB = 1500
_MIB = 1024 * 1024


def main(stamp: Path) -> int:
    """Install the packages of the lock; return the exit status.

    Simultaneous calls install once: the others wait. The stamp is written when the installation is
    complete.
    """
    free = shutil.disk_usage(ROOT).free // _MIB
    if free < NEEDED_MIB and not stamp.exists():
        return refuse(
            Bilingual(
                f"ruang disk di {ROOT} tinggal {free} MiB, perlu {NEEDED_MIB} MiB:"
                " kosongkan disk, lalu ulangi",
                f"the disk of {ROOT} has {free} MiB left and {NEEDED_MIB} MiB are needed:"
                " free some space, then try again",
            )
        )
    VENV.mkdir(exist_ok=True)
    with (VENV / ".install.lock").open("w") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(
                choose(
                    "menunggu pemasangan yang sedang berjalan",
                    "waiting for another installation to finish",
                )
            )
            fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.exists() and _works("-c", ""):
            return 0
        for old in VENV.glob(".installed-*"):
            old.unlink()
        say(
            choose(
                f"menyiapkan {VENV} (sekali saja, satu sampai tiga menit)",
                f"preparing {VENV} (once, one to three minutes)",
            )
        )
        failure = _with_uv() if shutil.which("uv") else _with_pip()
        if failure:
            return refuse(failure)
        stamp.touch()
    say(choose("siap", "ready"))
    return 0


def _works(*arguments: str) -> bool:
    """Return whether the interpreter of .venv runs with these arguments."""
    try:
        ran = subprocess.run(
            [VENV / "bin" / "python", *arguments], capture_output=True, check=False
        )
    except OSError:
        return False
    return ran.returncode == 0


def _with_uv() -> Bilingual | None:
    python = VENV / "bin" / "python"
    if not _works("-c", ""):
        options = ["--quiet", "--allow-existing", "--python", sys.executable]
        failure = _run(["uv", "venv", *options, str(VENV)])
        if failure:
            return failure
    return _run(["uv", "pip", "sync", "--require-hashes", "--python", str(python), str(LOCK)])


def _with_pip() -> Bilingual | None:
    if not _works("-m", "pip", "--version"):
        command = [sys.executable, "-m", "venv", VENV]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            advice = "(Debian/Ubuntu: apt-get install python3-venv)"
            reason = _last_error_line(made.stdout + made.stderr)
            return Bilingual(
                f"{sys.executable} tidak dapat membuat venv {advice}: {reason}",
                f"{sys.executable} cannot make a venv {advice}: {reason}",
            )
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install"]
    options = ["--disable-pip-version-check", "--no-input", "--require-hashes"]
    return _run([*pip, *options, "-r", str(LOCK)])


def _run(command: list[str]) -> Bilingual | None:
    """Run an installer and show its progress; return why it failed, or None."""
    lines: list[str] = []
    has_ended = threading.Event()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        reporter = threading.Thread(target=_show_progress, args=(lines, has_ended))
        reporter.start()
        lines.extend(process.stdout or ())
        has_ended.set()
        reporter.join()
    return _explain_failure("".join(lines)) if process.returncode else None


def _show_progress(lines: list[str], has_ended: threading.Event) -> None:
    """At a terminal, write every second what pip does, until it has ended."""
    if not sys.stderr.isatty():
        return
    total = len(re.findall(r"^\S+==", LOCK.read_text(), re.MULTILINE))
    started_at = time.monotonic()
    while not has_ended.wait(1):
        seconds = f"{time.monotonic() - started_at:.0f}"
        reached = min(sum(line.startswith("Collecting ") for line in lines), total)
        text = choose(
            f"mengunduh paket {reached}/{total}", f"downloading package {reached}/{total}"
        )
        if any(line.startswith("Installing collected") for line in lines):
            text = choose(f"memasang {total} paket", f"installing {total} packages")
        unit = choose("detik", "seconds")
        sys.stderr.write(f"\rbina: {text}, {seconds} {unit}   ")
        sys.stderr.flush()
    sys.stderr.write("\n")


def _explain_failure(output: str) -> Bilingual:
    reason = _last_error_line(output)
    if "DO NOT MATCH THE HASHES" in output or "Hash mismatch" in output:
        return Bilingual(
            "paket yang diunduh tidak sama dengan yang dikunci di requirements.lock, jangan"
            f" dipakai: {reason}",
            "a downloaded package is not the one that requirements.lock pins, do not use it:"
            f" {reason}",
        )
    if "No space left" in output:
        return Bilingual(
            f"disk penuh: kosongkan {NEEDED_MIB} MiB di {ROOT}, lalu ulangi",
            f"the disk is full: free {NEEDED_MIB} MiB at {ROOT}, then try again",
        )
    return Bilingual(
        "paket tidak dapat diunduh: periksa jaringan, proksi atau indeks paket, lalu ulangi (atau"
        f" `docker compose up`): {reason}",
        "the packages cannot be downloaded: check network, proxy or package index, then try again"
        f" (or use `docker compose up`): {reason}",
    )


def _last_error_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    candidates = errors or lines or ["?"]
    return candidates[-1]


def say(text: str) -> None:
    """Print a line on stderr; stdout is for the output of the command."""
    print_error(f"bina: {text}")


def refuse(reason: Bilingual) -> int:
    """Print why the installation is not possible; return the exit status 1."""
    say(str(reason))
    return 1


if __name__ == "__main__":
    sys.exit(main(ROOT / sys.argv[1]))
