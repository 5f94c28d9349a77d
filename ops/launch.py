"""Runs the command line; installs the packages again when one of them is missing or damaged.

Standard library only until the import in `main`. Not here: the commands (cli).
"""

import os
import shutil
import sys
from pathlib import Path

from ops.language import choose
from ops.text_output import print_error

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
_REPAIRED = "BINA_REPAIRED"
_OURS = ("ops", "chassis", "services", "gateway")


def main() -> None:
    """Run the command; on a missing package install all of them once, then run it again."""
    try:
        from ops.cli import main as run

        run()
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        # A link is the .venv of another checkout, which may be in use.
        if package in _OURS or _REPAIRED in os.environ or VENV.is_symlink():
            raise
        _install_again(package)


def _install_again(package: str) -> None:
    """Remove what is installed and start the launcher again, which installs it."""
    print_error(
        choose(
            f"bina: .venv rusak ({package} tidak dapat dimuat), dipasang lagi",
            f"bina: .venv is damaged ({package} cannot be imported) and is installed again",
        )
    )
    for stamp in VENV.glob(".installed-*"):
        stamp.unlink()
    for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg"):
        path = VENV / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    os.environ[_REPAIRED] = "1"
    os.chdir(os.environ.get("BINA_FROM", ROOT))
    os.execv(str(ROOT / "bina"), ["./bina", *sys.argv[1:]])  # noqa: S606 - our launcher


if __name__ == "__main__":
    main()
