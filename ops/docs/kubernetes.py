"""The Kubernetes manifests that are generated from the topology table.

Not here: settings of an installation (deploy/k8s/overlays), and servers (deploy/k8s/components).
"""

import tomllib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from chassis.messaging.kafka_topics import PARTITIONS, RETENTION_DAYS
from ops.docs.generated_blocks import HEADER, fill_template
from ops.local import kafka_permissions, topology
from ops.local.kafka_permissions import Permission
from ops.local.state_dir import ROOT

BASE = ROOT / "deploy/k8s/base"
COMPONENTS = ROOT / "deploy/k8s/components"
OVERLAYS = ROOT / "deploy/k8s/overlays"
_SERVICE_LABELS = "{{app.kubernetes.io/name: {0}, app.kubernetes.io/component: service}}"
_PEOPLE = {
    "operator": "# A person who reads: `events tail`, `audit verify`, `audit export`"
    " (docs/operations.md).\n",
    "restorer": "# A person who restores: replaces the topics and fills them. Only this user may"
    " write the topic\n# of a service that it is not.\n",
}
_PATTERNS = {"literal": "literal", "prefixed": "prefix"}


def render_files() -> dict[Path, str]:
    """Return the text of each manifest that is generated whole."""
    files = {BASE / f"{process.name}.yaml": _workload(process) for process in topology.PROCESSES}
    names = [process.name for process in topology.PROCESSES]
    return files | {
        COMPONENTS / "kafka/topics.yaml": HEADER + _documents(map(_topic, names)),
        COMPONENTS / "kafka/users.yaml": HEADER + _documents(_users()),
        COMPONENTS / "external-secrets/secrets.yaml": HEADER
        + _documents(
            [
                *(_external_secret(f"{name}-secrets", f"bina/{name}") for name in names),
                _external_secret("trusted-keys", "bina/trusted"),
            ]
        ),
        OVERLAYS / "national/mongo-urls.yaml": HEADER
        + "# bina/<service>-mongo has the property `connectionString.standard`.\n"
        + _documents(_external_secret(f"{name}-mongo", f"bina/{name}-mongo") for name in names),
        OVERLAYS / "region/mongo-passwords.yaml": HEADER
        + "# bina/<service>-mongo has the property `password`.\n"
        + _documents(
            _external_secret(f"{name}-mongo-password", f"bina/{name}-mongo") for name in names
        ),
    }


def render_blocks() -> dict[str, str]:
    """Return the generated blocks in manifests that are written by hand, by name."""
    services = [service.name for service in topology.SERVICES]
    processes = [process.name for process in topology.PROCESSES]
    consumers = [process.name for process in topology.PROCESSES if process.consumes]
    target = f"{{kind: HorizontalPodAutoscaler, name: {'|'.join(consumers)}}}"
    return {
        "resources": "\n".join(f"- {name}.yaml" for name in processes),
        "config-maps": "\n".join(map(_config_map, topology.PROCESSES)),
        "images": _images(processes),
        "consumers": f"- target: {target}",
        "service-names": _values(services),
        "process-names": _values(processes),
        "kafka-users": _values([*processes, *kafka_permissions.PEOPLE]),
        "mongo-users": "\n".join(map(_mongo_user, processes)),
        "internal-calls": _documents(_call_policies()),
    }


def _values(names: Iterable[str]) -> str:
    return f"values: [{', '.join(names)}]"


def _documents(documents: Iterable[str]) -> str:
    return "---\n".join(documents)


def _images(names: Iterable[str]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "\n".join(f"- {{name: bina/{name}, newTag: {project['version']}}}" for name in names)


def _workload(process: topology.Service) -> str:
    has_own_probe_port = process.container_probe_port != process.listener.container_port
    internal = process.container_probe_port
    volumes = fill_template("workload-volumes.yaml", name=process.name)
    mounts = fill_template("workload-volume-mounts.yaml")
    claims = ""
    for volume in process.volumes:
        mounts += f"            - {{name: {volume.claim}, mountPath: {volume.mount_path}}}\n"
        claim = f"{{claimName: {volume.claim}}}"
        volumes += f"        - {{name: {volume.claim}, persistentVolumeClaim: {claim}}}\n"
        claims += _claim(volume)
    service_port = f"    - {{name: internal, port: {internal}, targetPort: internal}}"
    container_port = f"            - {{name: internal, containerPort: {internal}}}"
    return f"{HEADER}# {process.name}: {process.summary}.\n" + fill_template(
        "workload.yaml",
        name=process.name,
        prefix=process.prefix,
        module=process.module,
        memory_mib=process.memory_mib,
        port=process.listener.container_port,
        service_ports=service_port if has_own_probe_port else "",
        container_ports=container_port if has_own_probe_port else "",
        probe_port_name="internal" if has_own_probe_port else "http",
        volume_mounts=mounts,
        volumes=volumes,
        lag_metric=_lag_metric(process) if process.consumes else "",
        claims=claims,
    )


def _lag_metric(process: topology.Service) -> str:
    selector = f"{{matchLabels: {{service: {process.name}}}}}"
    return (
        "    # Events not yet read, the sum of all pods (deploy/k8s/components/monitoring).\n"
        "    - type: External\n"
        "      external:\n"
        f"        metric: {{name: bina_consumer_lag_events, selector: {selector}}}\n"
        '        target: {type: AverageValue, averageValue: "1000"}\n'
    )


def _claim(volume: topology.Volume) -> str:
    return (
        "---\napiVersion: v1\nkind: PersistentVolumeClaim\n"
        f"metadata:\n  name: {volume.claim}\n"
        "spec:\n  accessModes: [ReadWriteMany]\n  resources: {requests: {storage: 1Gi}}\n"
    )


def _config_map(process: topology.Service) -> str:
    others = {other.name: other for other in topology.PROCESSES}
    settings = {
        "HOST": "0.0.0.0",  # noqa: S104 - inside a pod
        "PORT": str(process.listener.container_port),
        "SECRETS_DIR": "/secrets",
        "TRUSTED_KEYS": "/trusted",
    }
    settings |= {volume.directory.upper(): volume.mount_path for volume in process.volumes}
    for name in process.calls:
        settings[f"{others[name].prefix}_URL"] = (
            f"http://{name}:{others[name].container_probe_port}"
        )
    lines = [f"    - {process.prefix}_{name}={value}" for name, value in settings.items()]
    return "\n".join([f"- name: {process.name}", "  literals:", *lines])


def _mongo_user(name: str) -> str:
    return (
        f"- name: {name}\n"
        f"  db: {name}\n"
        f"  passwordSecretRef: {{name: {name}-mongo-password}}\n"
        f"  scramCredentialsSecretName: {name}-mongo\n"
        f"  connectionStringSecretName: {name}-mongo\n"
        f"  roles: [{{name: readWrite, db: {name}}}, {{name: dbAdmin, db: {name}}}]"
    )


def _external_secret(name: str, key: str) -> str:
    return (
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\n"
        f"metadata:\n  name: {name}\n"
        "spec:\n  refreshInterval: 1h\n"
        "  secretStoreRef: {kind: ClusterSecretStore, name: bina}\n"
        f"  target: {{name: {name}, creationPolicy: Owner, deletionPolicy: Retain}}\n"
        f"  dataFrom: [{{extract: {{key: {key}}}}}]\n"
    )


def _topic(name: str) -> str:
    retention = RETENTION_DAYS * 86_400_000
    return (
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\n"
        f"metadata:\n  name: {topology.topic_of(name)}\n  labels: {{strimzi.io/cluster: bina}}\n"
        f"spec:\n  partitions: {PARTITIONS}\n  replicas: 3\n"
        f"  # {RETENTION_DAYS} days\n"
        f"  config: {{retention.ms: {retention}, min.insync.replicas: 2}}\n"
    )


def _users() -> Iterator[str]:
    for process in topology.PROCESSES:
        yield _user(process.name, kafka_permissions.permissions(process))
    of_people = kafka_permissions.permissions_of_people()
    for person in kafka_permissions.PEOPLE:
        own = [permission for permission in of_people if permission.user == person]
        yield _PEOPLE[person] + _user(person, own)


def _user(name: str, permissions: Iterable[Permission]) -> str:
    """Return a KafkaUser; consecutive permissions on one resource share a rule."""
    rules = groupby(permissions, key=lambda permission: permission[2:])
    acls = "".join(_acl(resource, list(group)) for resource, group in rules)
    return (
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaUser\n"
        f"metadata:\n  name: {name}\n  labels: {{strimzi.io/cluster: bina}}\n"
        "spec:\n  authentication: {type: scram-sha-512}\n"
        f"  authorization:\n    type: simple\n    acls:\n{acls}"
    )


def _acl(resource: tuple[str, str, str], permissions: list[Permission]) -> str:
    kind, name, pattern = resource
    operations = [permission.operation.capitalize() for permission in permissions]
    if kind == "topic":
        operations.insert(0, "Describe")
    place = f"{{type: {kind}, name: {name}, patternType: {_PATTERNS[pattern]}}}"
    return f"      - resource: {place}\n        operations: [{', '.join(operations)}]\n"


def _call_policies() -> Iterator[str]:
    """Yield the network policies of internal calls: ingress of callees, egress of callers."""
    processes = {process.name: process for process in topology.PROCESSES}
    for callee in topology.PROCESSES:
        callers = [other.name for other in topology.PROCESSES if callee.name in other.calls]
        if callers:
            yield _ingress_policy(callee, callers)
    for caller in topology.PROCESSES:
        if caller.calls:
            yield _egress_policy(caller, [processes[name] for name in caller.calls])


def _ingress_policy(callee: topology.Service, callers: Iterable[str]) -> str:
    return _policy(f"calls-to-{callee.name}", callee.name, "Ingress") + (
        "  ingress:\n"
        "    - from:\n"
        "        - podSelector:\n"
        "            matchExpressions:\n"
        "              - key: app.kubernetes.io/name\n"
        "                operator: In\n"
        f"                {_values(callers)}\n"
        f"      ports: [{{protocol: TCP, port: {callee.container_probe_port}}}]\n"
    )


def _egress_policy(caller: topology.Service, callees: Iterable[topology.Service]) -> str:
    rules = "".join(
        f"    - to: [{{podSelector: {{matchLabels: {_SERVICE_LABELS.format(callee.name)}}}}}]\n"
        f"      ports: [{{protocol: TCP, port: {callee.container_probe_port}}}]\n"
        for callee in callees
    )
    return _policy(f"calls-of-{caller.name}", caller.name, "Egress") + f"  egress:\n{rules}"


def _policy(name: str, pods: str, direction: str) -> str:
    return (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata:\n  name: {name}\n"
        f"spec:\n  podSelector: {{matchLabels: {_SERVICE_LABELS.format(pods)}}}\n"
        f"  policyTypes: [{direction}]\n"
    )
