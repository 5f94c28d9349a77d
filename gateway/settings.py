"""The settings of the gateway: GATEWAY_... and the shared names.

Not here: routes (routes.toml).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from chassis.settings import Settings
from gateway.host_group import Group

INTERNAL_PORT_OFFSET = 9
ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
# Host names that reach the group of a port in development.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# By IP version. A proxy chooses the address by which a client is counted.
WIDEST_PROXY_PREFIX = {4: 16, 6: 48}
_NO_SECRET = SecretStr("")


def _split_list(value: object) -> object:
    """Split a comma-separated text; other values stay as they are."""
    if not isinstance(value, str):
        return value
    entries = (entry.strip() for entry in value.split(","))
    return tuple(entry for entry in entries if entry)


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
Networks = Annotated[
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    NoDecode,
    BeforeValidator(_split_list),
]


class IssuerSettings(BaseModel):
    """An OIDC issuer to trust.

    `roles_from` names the source of role and claims: our grants, or the members `role` and `claims`
    of the token. The development issuer writes these members.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    audience: str
    jwks_uri: str = ""
    # The same names as ALGORITHMS.
    algorithms: frozenset[Literal["EdDSA", "RS256", "ES256"]] = frozenset(
        ("EdDSA", "RS256", "ES256")
    )
    roles_from: Literal["grants", "token"] = "grants"


class GatewaySettings(Settings, prefix="GATEWAY_"):
    """The settings of the gateway process.

    Lists are comma-separated; `issuers` and `cors_origins` are JSON. In development the ports
    base+0 to base+3 belong to the host groups, in the order of Group.
    """

    # One for each service: `<service>_url`.
    training_url: str
    certification_url: str
    marketplace_url: str
    manpower_url: str
    # Where the gateway's own API (users, sessions, grants) answers; empty: its internal port.
    own_url: str = ""
    routes_file: Path = Path(__file__).parent / "routing" / "routes.toml"
    staff_hosts: Names = ("staff.localhost",)
    shop_hosts: Names = ("shop.localhost",)
    certificate_hosts: Names = ("certificate.localhost",)
    partner_hosts: Names = ("partner.localhost",)
    issuers: tuple[IssuerSettings, ...] = ()
    development_key: SecretStr = _NO_SECRET
    # The https origin that names the built-in issuer; empty: that of the first staff host.
    issuer: str = ""
    # Ed25519 keys in PEM. Without `issuer_key` there is no built-in issuer. The next key is
    # published and trusted before it signs, the previous one until its last token has expired.
    issuer_key: SecretStr = _NO_SECRET
    issuer_next_key: SecretStr = _NO_SECRET
    issuer_previous_key: SecretStr = _NO_SECRET
    cors_origins: dict[Group, frozenset[str]] = Field(default_factory=dict[Group, frozenset[str]])
    trusted_proxies: Networks = ()
    drain_seconds: int = Field(10, ge=1, le=300)

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = self._find_duplicate_hosts()
        if self.environment == "production":
            problems += self._find_production_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _find_duplicate_hosts(self) -> list[str]:
        counts: Counter[str] = Counter()
        for group in Group:
            counts.update(self.hosts_for(group))
        duplicates = sorted(name for name, count in counts.items() if count > 1)
        return [f"{name} belongs to two host groups" for name in duplicates]

    def _find_production_problems(self) -> list[str]:
        problems: list[str] = []
        if self.development_key.get_secret_value():
            problems.append("GATEWAY_DEVELOPMENT_KEY: the development issuer is not for production")
        problems += [
            f"GATEWAY_{group.upper()}_HOSTS: name the hosts"
            for group in Group
            if any(name.endswith("localhost") for name in self.hosts_for(group))
        ]
        issuer_urls = {url for issuer in self.issuers for url in (issuer.issuer, issuer.jwks_uri)}
        problems += [
            f"GATEWAY_ISSUERS: {url} is not https"
            for url in sorted(issuer_urls - {""})
            if not url.startswith("https://")
        ]
        problems += [
            f"GATEWAY_TRUSTED_PROXIES: {network} is wider than a range of pods"
            for network in self.trusted_proxies
            if network.prefixlen < WIDEST_PROXY_PREFIX[network.version]
        ]
        if self.issuer and not self.issuer.startswith("https://"):
            problems.append("GATEWAY_ISSUER: an https origin is needed")
        return problems

    def hosts_for(self, group: Group) -> tuple[str, ...]:
        """Return a group's host names; the host of PUBLIC_ORIGIN belongs to `certificate`."""
        public_host = urlsplit(self.public_origin).hostname or ""
        names: dict[Group, tuple[str, ...]] = {
            Group.STAFF: self.staff_hosts,
            Group.SHOP: self.shop_hosts,
            Group.CERTIFICATE: (*self.certificate_hosts, public_host),
            Group.PARTNER: self.partner_hosts,
        }
        return tuple(dict.fromkeys(name.lower() for name in names[group] if name))

    def origins_for(self, group: Group) -> tuple[str, ...]:
        """Return the origins at which clients reach a group: https, in development with a port."""
        names = self.hosts_for(group)
        if self.environment == "production":
            return tuple(f"https://{name}" for name in names)
        port = self.port + list(Group).index(group)
        return tuple(f"http://{name}:{port}" for name in (*names, *LOOPBACK_HOSTS))

    @property
    def service_urls(self) -> dict[str, str]:
        """Return the origin of each service; `gateway` is its own API of users and grants."""
        own_url = self.own_url or f"http://{_reachable_host(self.host)}:{self.internal_port}"
        services = [
            name.removesuffix("_url")
            for name in GatewaySettings.__annotations__
            if name.endswith("_url") and name != "own_url"
        ]
        urls = {service: str(getattr(self, f"{service}_url")) for service in services}
        return {service: url.rstrip("/") for service, url in (urls | {"gateway": own_url}).items()}

    @property
    def issuer_origin(self) -> str:
        """Return the origin that names the built-in issuer (`iss`)."""
        if self.issuer:
            return self.issuer.rstrip("/")
        host = self.staff_hosts[0]
        if self.environment == "production":
            return f"https://{host}"
        return f"http://{host}:{self.port}"

    @property
    def ports(self) -> dict[int, Group]:
        """Return the group of each port; empty in production, where only host names count."""
        if self.environment != "development":
            return {}
        return {self.port + offset: group for offset, group in enumerate(Group)}

    @property
    def internal_port(self) -> int:
        """Return the port of probes, metrics and the internal API."""
        return self.port + INTERNAL_PORT_OFFSET


def _reachable_host(host: str) -> str:
    """Return the address at which this machine reaches a socket bound to `host`."""
    if host == "0.0.0.0":  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host
