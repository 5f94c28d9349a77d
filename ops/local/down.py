"""The command `down`: ends the system that runs here, or what is left of one."""

from rich.console import Console

from ops.errors import OperatorError
from ops.local import processes, state_dir

_GRACE_SECONDS = 60.0


def down() -> int:
    """End the system; return the exit status when nothing is left of it."""
    console = Console(stderr=True)
    pid = state_dir.runner_pid()
    if pid is not None:
        processes.stop(pid, grace=_GRACE_SECONDS)
    with state_dir.claim_runner() as is_alone:
        if not is_alone:
            raise OperatorError(
                f"Bina masih berhenti (pid {state_dir.runner_pid()}): tunggu sebentar, lalu"
                " ulangi.",
                "Bina is still stopping: wait a moment, then try again.",
            )
        state_dir.end_leftovers()
        state_dir.publish_state({})
    console.print("Bina dihentikan." if pid else "Tidak ada yang berjalan.")
    return 0
