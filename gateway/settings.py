"""What the gateway is told: GATEWAY_... and the shared names."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from chassis.settings import Settings
from gateway.authn.tokens import ALGORITHMS
from gateway.routing.table import Group
from gateway.upstream.canaries import canary_of

INTERNAL_PORT_OFFSET = 9


def _split_list(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
Networks = Annotated[
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    NoDecode,
    BeforeValidator(_split_list),
]


class IssuerSettings(BaseModel):
    """An OIDC issuer to trust. `roles_from`: our own grants, or the token's members `role` and `claims` as the development issuer writes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    audience: str
    jwks_uri: str = ""
    algorithms: frozenset[Literal["EdDSA", "RS256", "ES256"]] = frozenset(ALGORITHMS)  # pyright: ignore[reportAssignmentType] - the same names
    roles_from: Literal["grants", "token"] = "grants"


class GatewaySettings(Settings, prefix="GATEWAY_"):
    """Names are comma-separated lists; `issuers`, `cors_origins` and `canaries` are JSON. In development the ports base+0..3 are the groups, in the order of Group."""

    training_url: str
    certification_url: str
    marketplace_url: str
    manpower_url: str
    canaries: dict[str, str] = Field(
        default_factory=dict[str, str]
    )  # where the next version of a service answers (JSON: service to url); who goes there: routes.toml
    own_url: str = (
        ""  # where the gateway's own side answers itself; its own internal port unless told
    )
    routes_file: Path = Path(__file__).parent / "routing" / "routes.toml"
    staff_hosts: Names = ("staff.localhost",)
    shop_hosts: Names = ("shop.localhost",)
    certificate_hosts: Names = ("certificate.localhost",)
    partner_hosts: Names = ("partner.localhost",)
    issuers: tuple[IssuerSettings, ...] = ()
    development_key: SecretStr = SecretStr("")
    issuer: str = ""  # the own issuer's name, an https origin: that of the staff host unless told
    issuer_key: SecretStr = SecretStr("")  # Ed25519, PEM; without it there is no own issuer
    issuer_next_key: SecretStr = SecretStr("")  # published and believed before it signs
    issuer_previous_key: SecretStr = SecretStr(
        ""
    )  # believed until the last token that it signed is out
    cors_origins: dict[Group, frozenset[str]] = Field(default_factory=dict[Group, frozenset[str]])
    trusted_proxies: Networks = ()
    drain_seconds: int = Field(10, ge=1, le=300)

    @model_validator(mode="after")
    def _check_environment(self) -> Self:
        problems: list[str] = []
        if self.environment == "production":
            problems += [
                "GATEWAY_DEVELOPMENT_KEY: the built-in issuer is for development only"
            ] * bool(self.development_key.get_secret_value())
            problems += [
                f"GATEWAY_{group.upper()}_HOSTS: name the hosts"
                for group in Group
                if any(name.endswith("localhost") for name in self.hosts_for(group))
            ]
            urls = [
                url for issuer in self.issuers for url in (issuer.issuer, issuer.jwks_uri) if url
            ]
            problems += [
                f"GATEWAY_ISSUERS: {url} is not https"
                for url in urls
                if not url.startswith("https://")
            ]
            problems += ["GATEWAY_ISSUER: an https origin is needed"] * bool(
                self.issuer and not self.issuer.startswith("https://")
            )
        problems += [
            f"GATEWAY_CANARIES: {service} is no service"
            for service in self.canaries
            if service not in self.service_urls
        ]
        names = [name for group in Group for name in self.hosts_for(group)]
        problems += [
            f"{name} belongs to two host groups"
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def hosts_for(self, group: Group) -> tuple[str, ...]:
        """The host names of a group; the host of PUBLIC_ORIGIN belongs to the certificate group."""
        names: dict[Group, tuple[str, ...]] = {
            Group.STAFF: self.staff_hosts,
            Group.SHOP: self.shop_hosts,
            Group.CERTIFICATE: (
                *self.certificate_hosts,
                urlsplit(self.public_origin).hostname or "",
            ),
            Group.PARTNER: self.partner_hosts,
        }
        return tuple(dict.fromkeys(name.lower() for name in names[group] if name))

    @property
    def service_urls(self) -> dict[str, str]:
        """Where each service answers, the gateway's own side of users, sessions and grants among them."""
        urls = {
            "training": self.training_url,
            "certification": self.certification_url,
            "marketplace": self.marketplace_url,
            "manpower": self.manpower_url,
        }
        urls["gateway"] = (
            self.own_url or f"http://{_reachable_host(self.host)}:{self.internal_port}"
        )
        return {service: url.rstrip("/") for service, url in urls.items()}

    @property
    def upstream_urls(self) -> dict[str, str]:
        """The services and their canaries, where each answers."""
        return self.service_urls | {
            canary_of(service): url.rstrip("/") for service, url in self.canaries.items()
        }

    @property
    def issuer_origin(self) -> str:
        """The own issuer's name: the staff host unless told; in development at our port."""
        host = self.staff_hosts[0]
        return (
            self.issuer
            or (
                f"https://{host}"
                if self.environment == "production"
                else f"http://{host}:{self.port}"
            )
        ).rstrip("/")

    @property
    def ports(self) -> dict[int, Group]:
        """The ports of the groups in development; none in production, where only names count."""
        return (
            {self.port + offset: group for offset, group in enumerate(Group)}
            if self.environment == "development"
            else {}
        )

    @property
    def internal_port(self) -> int:
        """Where probes, metrics and the internal API are served."""
        return self.port + INTERNAL_PORT_OFFSET


def _reachable_host(host: str) -> str:
    """A host name by which this machine reaches what listens there."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
    return wildcard.get(host) or (f"[{host}]" if ":" in host else host)
