"""Who asks: tokens of any issuer verified, the development issuer, and what the services are told."""

from gateway.authn.dev_issuer import development_token

__all__ = ["development_token"]
