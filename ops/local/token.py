"""The command `token`: a token of the built-in issuer for any role, on a developer's machine only."""

import sys
from collections import defaultdict

from gateway.authn.dev_issuer import TokenNotIssued, issue_development_token
from ops.errors import OperatorError
from ops.local import state_dir, topology


def print_token(role: str, claims: list[str]) -> int:
    """Print it; the exit status."""
    key = state_dir.path() / "secrets" / topology.GATEWAY.name / "gateway_development_key"
    if not key.exists():
        raise OperatorError(
            "Belum ada kunci penerbit: jalankan ./bina up sekali.",
            "There is no issuer's key yet: run ./bina up once.",
        )
    values: dict[str, list[str]] = defaultdict(list)
    for claim in claims:
        name, equals, value = claim.partition("=")
        if not equals or not value:
            raise OperatorError(
                f"--claim {claim}: tulis NAMA=NILAI, misalnya facility=LP-TJP.",
                f"--claim {claim}: write NAME=VALUE, for example facility=LP-TJP.",
            )
        values[name].append(value)
    try:
        made = issue_development_token(key.read_text(), role, values)
    except TokenNotIssued as refused:
        raise OperatorError(
            f"Token tidak dapat dibuat: {refused}.", f"No token can be made: {refused}."
        ) from refused
    sys.stdout.write(made + "\n")
    return 0
