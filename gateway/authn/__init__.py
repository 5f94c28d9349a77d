"""Token verification, issuers, their keys, the revocation cache.

Not here: permissions and grants.
"""

from gateway.authn.dev_issuer import issue_development_token

__all__ = ["issue_development_token"]
