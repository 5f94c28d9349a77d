"""The permissions of each role, per service. A permission is "METHOD /template".

Each service's owner writes `gateway/access/permissions/<service>.py` with

    PERMISSIONS: dict[str, frozenset[str]] = {
        "training_officer": frozenset({"GET /v1/classes", "POST /v1/classes"}),
        "public": frozenset(),
    }

`public` is only for routes with `public = true` in routes.toml; every other role has these
permissions too. operations.py has the permissions of operators and auditors, which are the same for
every service; access.py those for the gateway's own routes; roles.py the roles. A new module is the
one of a service and needs no further line here. Every template must be routed in
gateway/routing/routes.toml.

Not here: row scopes, which are typed claims that the services apply.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from gateway.access.permissions import access, operations
from gateway.access.permissions.roles import PUBLIC, ROLES


class RolePermissions:
    """The permissions of every service, by role or by route.

    It fails closed: a permission that is not listed belongs to no role.
    """

    def __init__(self, by_service: Mapping[str, Mapping[str, frozenset[str]]]) -> None:
        self.by_service = by_service

    def for_role(self, role: str, service: str) -> frozenset[str]:
        """Return the role's permissions for one service, including the public ones."""
        rules = self.by_service[service]
        granted = rules.get(role, frozenset()) if role in ROLES else frozenset[str]()
        return granted | rules.get(PUBLIC, frozenset())

    def at_all_services(self, role: str) -> frozenset[str]:
        """Return the role's permissions at all services, including the public ones."""
        return frozenset[str]().union(*(self.for_role(role, name) for name in self.by_service))

    def roles_for(self, service: str, permission: str) -> frozenset[str]:
        """Return the roles that may use the route, `public` among them if it is public."""
        return frozenset(
            role for role in (*ROLES, PUBLIC) if permission in self.for_role(role, service)
        )


# The modules of this package that belong to no service.
_OTHER_MODULES = frozenset({"access", "four_eyes", "operations", "roles", "versions"})


def _read_services() -> dict[str, Mapping[str, frozenset[str]]]:
    """Return the permissions of each service's module and of the gateway."""
    names = {module.name for module in pkgutil.iter_modules(__path__)} - _OTHER_MODULES
    by_service: dict[str, Mapping[str, frozenset[str]]] = {"gateway": access.PERMISSIONS}
    for name in sorted(names):
        by_service[name] = import_module(f"{__name__}.{name}").PERMISSIONS
    return by_service


def _merge(*permissions: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {
        role: frozenset[str]().union(*(one.get(role, frozenset()) for one in permissions))
        for role in {role for one in permissions for role in one}
    }


ROLE_PERMISSIONS = RolePermissions(
    {
        service: _merge(own, {} if service == "gateway" else operations.permissions(service))
        for service, own in _read_services().items()
    }
)

__all__ = ["PUBLIC", "ROLES", "ROLE_PERMISSIONS", "RolePermissions"]
