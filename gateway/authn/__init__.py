"""Who asks: tokens of any issuer verified, the development issuer, and what the services are told."""

from gateway.authn.dev_issuer import issue_development_token

__all__ = ["issue_development_token"]
