"""The command `token`: a token of the development issuer for any role.

Not here: how the token is signed (gateway.authn.dev_issuer).
"""

import sys
from collections import defaultdict

from gateway.authn.dev_issuer import TokenNotIssued, issue_development_token
from ops.errors import OperatorError
from ops.local import state_dir, topology


def print_token(role: str, claims: list[str]) -> int:
    """Print the token; return 0. Raises OperatorError."""
    key = state_dir.path() / "secrets" / topology.GATEWAY.name / "gateway_development_key"
    if not key.exists():
        raise OperatorError(
            "Belum ada kunci penerbit: jalankan ./bina up sekali.",
            "There is no issuer's key yet: run ./bina up once.",
        )
    try:
        token = issue_development_token(key.read_text(), role, _parse_claims(claims))
    except TokenNotIssued as error:
        raise OperatorError(
            f"Token tidak dapat dibuat: {error}.", f"No token can be made: {error}."
        ) from error
    sys.stdout.write(token + "\n")
    return 0


def _parse_claims(claims: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    for claim in claims:
        name, equals, value = claim.partition("=")
        if not equals or not value:
            raise OperatorError(
                f"--claim {claim}: tulis NAMA=NILAI, misalnya facility=LP-TJP.",
                f"--claim {claim}: write NAME=VALUE, for example facility=LP-TJP.",
            )
        values[name].append(value)
    return values
