"""All deployment files that are generated from the topology table, whole or in blocks.

Not here: the content (`compose`, `kubernetes`).
"""

from pathlib import Path

from ops.docs import compose, kubernetes
from ops.docs.generated_blocks import replace_blocks
from ops.docs.kubernetes import BASE, COMPONENTS, OVERLAYS
from ops.local.state_dir import ROOT

COMPOSE_FILES = (ROOT / "docker-compose.yml", ROOT / "deploy/compose/prometheus.yml")
KUBERNETES_FILES = (
    BASE / "kustomization.yaml",
    BASE / "network-policies.yaml",
    COMPONENTS / "kafka/network-policies.yaml",
    COMPONENTS / "mongodb/mongodb.yaml",
    COMPONENTS / "mongodb/network-policies.yaml",
    COMPONENTS / "mongodb-external/network-policies.yaml",
    COMPONENTS / "monitoring/pod-monitors.yaml",
    COMPONENTS / "tracing/network-policies.yaml",
    OVERLAYS / "dev/kustomization.yaml",
    OVERLAYS / "national/kustomization.yaml",
    OVERLAYS / "region/kustomization.yaml",
)


def render_deployment() -> dict[Path, str]:
    """Return the expected text of each deployment file."""
    rendered = kubernetes.render_files()
    for files, blocks in (
        (COMPOSE_FILES, compose.render_blocks()),
        (KUBERNETES_FILES, kubernetes.render_blocks()),
    ):
        for file in files:
            rendered[file] = replace_blocks(file.read_text(encoding="utf-8"), blocks)
    return rendered
