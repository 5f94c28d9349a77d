"""The command `down`: stops the running system and ends processes that an earlier one left."""

from ops.errors import OperatorError
from ops.language import choose
from ops.local import processes, state_dir
from ops.text_output import print_error

_GRACE_SECONDS = 60.0


def down() -> int:
    """Stop the system and return 0 once all its processes have ended. Raises OperatorError."""
    pid = state_dir.runner_pid()
    if pid is not None:
        processes.stop(pid, grace=_GRACE_SECONDS)
    with state_dir.claim_runner() as is_alone:
        if not is_alone:
            raise OperatorError(
                f"Bina masih berhenti (pid {state_dir.runner_pid()}): tunggu sebentar, lalu"
                " ulangi.",
                f"Bina is still stopping (pid {state_dir.runner_pid()}): wait a moment, then try"
                " again.",
            )
        state_dir.end_leftovers()
        state_dir.publish_state({})
    stopped = choose("Bina dihentikan.", "Bina is stopped.")
    nothing_ran = choose("Tidak ada yang berjalan.", "Nothing was running.")
    print_error(stopped if pid else nothing_ran)
    return 0
