"""What each role may ask for: "METHOD /template" per service. Row scopes are not here: they are typed claims, applied by the services.

Each service's owner writes `gateway/access/permissions/<service>.py` with

    PERMISSIONS: dict[str, frozenset[str]] = {
        "training_officer": frozenset({"GET /v1/classes", "POST /v1/classes", "GET /v1/classes/{class_id}"}),
        "public": frozenset(),          # only with public = true in routes.toml; every role may also do what the public may
    }

What operators may ask of every service alike is in operations.py. Roles are those of roles.py; what the
gateway itself answers (sign-in, sessions, the administrators' side of access) is in access.py. Every template
must be routed in gateway/routing/routes.toml, which says how to add one.
"""

from collections.abc import Mapping

from gateway.access.permissions import (
    access,
    certification,
    manpower,
    marketplace,
    operations,
    training,
)
from gateway.access.permissions.roles import PUBLIC, ROLES


class RolePermissions:
    """The roles of every service, asked by role or by route. Fails closed: what nobody wrote down is nobody's."""

    def __init__(self, by_service: Mapping[str, Mapping[str, frozenset[str]]]) -> None:
        self.by_service = by_service

    def for_role(self, role: str, service: str) -> frozenset[str]:
        """What the role may ask of one service, the public's part included."""
        rules = self.by_service[service]
        granted = rules.get(role, frozenset()) if role in ROLES else frozenset[str]()
        return granted | rules.get(PUBLIC, frozenset())

    def roles_for(self, service: str, permission: str) -> frozenset[str]:
        """The roles that may use the route, `public` among them where anybody may."""
        return frozenset(
            role for role in (*ROLES, PUBLIC) if permission in self.for_role(role, service)
        )


_OWN_PERMISSIONS = {
    "training": training.PERMISSIONS,
    "certification": certification.PERMISSIONS,
    "marketplace": marketplace.PERMISSIONS,
    "manpower": manpower.PERMISSIONS,
    "gateway": access.PERMISSIONS,
}


def _merge(*permissions: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {
        role: frozenset[str]().union(*(one.get(role, frozenset()) for one in permissions))
        for role in {role for one in permissions for role in one}
    }


ROLE_PERMISSIONS = RolePermissions(
    {
        service: _merge(own, {} if service == "gateway" else operations.permissions(service))
        for service, own in _OWN_PERMISSIONS.items()
    }
)

__all__ = ["PUBLIC", "ROLES", "ROLE_PERMISSIONS", "RolePermissions"]
