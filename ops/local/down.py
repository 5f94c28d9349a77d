"""The command `down`: end the system that runs here, or what is left of one."""

from rich.console import Console

from ops.errors import Trouble
from ops.local import processes, state_dir

_GRACE_SECONDS = 60.0


def down() -> int:
    """End it and return when nothing is left; the exit status."""
    console = Console(stderr=True)
    pid = state_dir.runner()
    if pid is not None:
        processes.stop(pid, grace=_GRACE_SECONDS)
    with state_dir.sole_runner() as alone:
        if not alone:
            raise Trouble(
                f"Bina masih berhenti (pid {state_dir.runner()}): tunggu sebentar, lalu ulangi.",
                "Bina is still stopping: wait a moment, then try again.",
            )
        state_dir.end_leftovers()
        state_dir.publish({})
    console.print("Bina dihentikan." if pid else "Tidak ada yang berjalan.")
    return 0
