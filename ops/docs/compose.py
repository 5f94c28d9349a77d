"""The entries of docker-compose.yml that are generated from the topology table.

Not here: servers, jobs and monitoring, which are written by hand in the files.
"""

from ops.docs.generated_blocks import fill_template
from ops.local import topology

_NETWORKS = ("calls", "kafka", "metrics", "mongo")


def render_blocks() -> dict[str, str]:
    """Return the blocks of docker-compose.yml and deploy/compose/prometheus.yml, by name."""
    names = [process.name for process in topology.PROCESSES]
    targets = [f'"{it.name}:{it.container_probe_port}"' for it in topology.PROCESSES]
    volumes = [volume.claim for process in topology.PROCESSES for volume in process.volumes]
    return {
        "services": "\n".join(map(_service, topology.PROCESSES)),
        "secret-volumes": "\n".join(f"- {name}-secrets:/secrets/{name}" for name in names),
        "backup-volumes": "\n".join(_kept_volumes(suffix=":ro")),
        "restore-volumes": "\n".join(_kept_volumes(suffix="")),
        "volumes": "\n".join(
            f"{name}:" for name in [*volumes, *(f"{name}-secrets" for name in names)]
        ),
        "scrape-targets": f"- targets: [{', '.join(targets)}]",
    }


def _kept_volumes(suffix: str) -> list[str]:
    """Return the mounts of all secrets and volumes at the paths that the commands expect."""
    mounts = [f"{it.name}-secrets:/bina/secrets/{it.name}" for it in topology.PROCESSES]
    for process in topology.PROCESSES:
        mounts += [
            f"{volume.claim}:/bina/{process.name}/{volume.directory}" for volume in process.volumes
        ]
    return [f"- {mount}{suffix}" for mount in mounts]


def _service(process: topology.Service) -> str:
    networks = {*_NETWORKS}
    ports = ""
    if process is topology.GATEWAY:
        networks.add("edge")
        ports = _published_ports()
    mounts = [f"{process.name}-secrets:/secrets:ro", "trusted-keys:/trusted:ro"]
    mounts += [f"{volume.claim}:{volume.mount_path}" for volume in process.volumes]
    environment = _environment(process).items()
    return fill_template(
        "compose-service.yaml",
        name=process.name,
        dockerfile=f"{process.module.replace('.', '/')}/Dockerfile",
        networks=", ".join(sorted(networks)),
        memory_mib=process.memory_mib,
        environment="\n".join(f"    {name}: {value}" for name, value in environment),
        ports=ports,
        volumes="\n".join(f"    - {mount}" for mount in mounts),
        probe_port=process.container_probe_port,
    )


def _published_ports() -> str:
    first = topology.GATEWAY.listener.container_port
    last = first + len(topology.HOST_GROUPS) - 1
    return f'  ports: ["127.0.0.1:${{BINA_PORTS:-{first}-{last}}}:{first}-{last}"]'


def _environment(process: topology.Service) -> dict[str, str]:
    settings = {
        "HOST": "0.0.0.0",  # noqa: S104 - inside its container
        "PORT": str(process.listener.container_port),
        "SECRETS_DIR": "/secrets",
        "TRUSTED_KEYS": "/trusted",
    }
    settings |= {volume.directory.upper(): volume.mount_path for volume in process.volumes}
    for other in topology.PROCESSES:
        if other is process or (other is topology.GATEWAY and other.name not in process.calls):
            continue
        settings[f"{other.prefix}_URL"] = f"http://{other.name}:{other.container_probe_port}"
    return {f"{process.prefix}_{name}": value for name, value in settings.items()}
