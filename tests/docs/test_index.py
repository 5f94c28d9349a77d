"""docs/README.md, the index: it links every document and decision."""

from __future__ import annotations

import re

from ops.local.state_dir import ROOT

INDEX = (ROOT / "docs/README.md").read_text()


def test_the_index_links_every_decision_and_document() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)\)", INDEX))
    documents = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    decisions = {f"decisions/{path.name}" for path in (ROOT / "docs/decisions").glob("*.md")}
    assert documents | decisions <= linked
