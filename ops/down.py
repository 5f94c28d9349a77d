"""The command `down`: end the system that runs here, or what is left of one."""

from rich.console import Console

from ops import children, home
from ops.trouble import Trouble

_GRACE_SECONDS = 60.0


def down() -> int:
    """End it and return when nothing is left; the exit status."""
    console = Console(stderr=True)
    pid = home.runner()
    if pid is not None:
        children.stop(pid, grace=_GRACE_SECONDS)
    with home.sole_runner() as alone:
        if not alone:
            raise Trouble(
                f"Bina masih berhenti (pid {home.runner()}): tunggu sebentar, lalu ulangi.",
                "Bina is still stopping: wait a moment, then try again.",
            )
        home.end_leftovers()
        home.publish({})
    console.print("Bina dihentikan." if pid else "Tidak ada yang berjalan.")
    return 0
