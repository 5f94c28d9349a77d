"""`./bina assets`: builds the browser files of the gateway's pages from an npm lock.

The built files are committed, so that nothing else needs Node. Not here: how they are served.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from gateway.pages.docs import ASSETS
from ops.errors import OperatorError
from ops.text_output import print_text

PACKAGE = "swagger-ui-dist"
# Without the standalone preset, which needs inline styles.
COPIED = (
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "LICENSE",
    "NOTICE",
)


def build_assets(target: Path = ASSETS / "built") -> list[Path]:
    """Write the built files into `target` and return them. Raises OperatorError without npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise OperatorError(
            "npm tidak ada di komputer ini: pasang Node.js 20 atau lebih baru, lalu ulangi",
            "npm is not on this computer: install Node.js 20 or newer, then repeat",
        )
    with tempfile.TemporaryDirectory() as directory:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ASSETS / name, directory)
        _install(npm, Path(directory))
        target.mkdir(parents=True, exist_ok=True)
        package = Path(directory) / "node_modules" / PACKAGE
        return [Path(shutil.copyfile(package / name, target / name)) for name in COPIED]


def write_assets() -> int:
    """Build the files and list them; return the exit status."""
    for file in build_assets():
        print_text(f"{file.name}: {file.stat().st_size} B")
    return 0


def _install(npm: str, directory: Path) -> None:
    """Install exactly the locked packages, without their scripts."""
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise OperatorError(
            f"npm tidak dapat memasang paket: {last_line}",
            f"npm could not install the packages: {last_line}",
        )
